"""What it brings that a row which ends gives its place to the next.

    python benchmarks/refill.py [--shape demo|3b|7b] [--rows 128] [--width 16 64] [--parents 1 16]
                                [--mean 24] [--spread 0.8] [--repeat 3] [--threads 1]

Branches whose answers are of very different lengths: log-normal, drawn once, not known to who
decodes them. They are decoded in batches of so many rows, once with waiting rows coming in, once a
batch after the other (each of which shrinks by half when half of it has ended). Time, passes, and
the share of the rows of all passes that still had something to say. The words are compared.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.shapes import Bench, asked_for, made  # noqa: E402
from core import Edit, Trace  # noqa: E402
from core.engine import branching, packing, together  # noqa: E402

BUDGET = 10


class Batches:
    """Decodes branches that stop after so many words each; counts what the passes held."""

    def __init__(self, test: Bench, jobs: Sequence[tuple[Trace, list[Edit]]], words: list[int]):
        self.test, self.jobs, self.words = test, jobs, words
        self.passes = self.slots = 0
        self.said: list[tuple[int, ...]] = []

    def run(self, width: int, refilled: bool) -> None:
        """All of them, at most ``width`` at a time."""
        packing.WIDEST = dict.fromkeys(("cpu", "cuda", "mps"), width)
        self.said, step = [], len(self.jobs) if refilled else width
        for at in range(0, len(self.jobs), step):
            self._some(self.jobs[at : at + step], self.words[at : at + step])

    def _some(self, jobs: Sequence[tuple[Trace, list[Edit]]], words: list[int]) -> None:
        engine, forked, left = self.test.engine, branching.fork_row, iter(words)

        def ends_after(*args, **kwargs):  # type: ignore[no-untyped-def]
            row = forked(*args, **kwargs)
            row.limit = row.place + BUDGET + next(left)
            return row

        branching.fork_row = ends_after
        try:
            found = together.branches(engine, jobs)
        finally:
            branching.fork_row = forked
        traces = [one for one in found if isinstance(one, Trace)]
        assert len(traces) == len(jobs), found
        self.said += [trace.token_ids for trace in traces]
        engine.store.forget(*(trace.id for trace in traces))

    def counted(self, width: int, refilled: bool) -> tuple[int, float]:
        """Passes, and the share of their rows that had something to say."""
        engine, passes, rows = self.test.engine, 0, 0
        usual = engine.passes.decode

        def watched(cache, embeds, positions):  # type: ignore[no-untyped-def]
            nonlocal passes, rows
            passes, rows = passes + 1, rows + cache.rows
            return usual(cache, embeds, positions)

        engine.passes.decode = watched  # type: ignore[method-assign]
        try:
            self.run(width, refilled)
        finally:
            engine.passes.decode = usual  # type: ignore[method-assign]
        return passes, sum(len(said) for said in self.said) / rows


def main() -> None:
    """Measure and print."""
    parser = asked_for(__doc__)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--width", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--parents", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--mean", type=float, default=24, help="median words of an answer")
    parser.add_argument("--spread", type=float, default=0.8, help="of their logarithm")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    test = made(options)
    test.engine.ids = replace(test.engine.ids, eos=())  # only their lengths end them
    draw = random.Random(0)
    words = [
        max(2, min(160, round(options.mean * draw.lognormvariate(0, options.spread))))
        for _ in range(options.rows)
    ]
    print(
        f"{test.name}, threads {options.threads}, {options.rows} branches of {min(words)} to "
        f"{max(words)} words (mean {sum(words) / len(words):.0f})\n"
    )
    print("| runs | width | with, s | without, s | ratio | passes | rows at work | same words |")
    print("|---|---|---|---|---|---|---|---|")
    for count in options.parents:
        say = {"max_new_tokens": 200, "budget": BUDGET, "force_latents": True}
        runs = [test.engine.decode(test.question(options.tokens, n), **say) for n in range(count)]
        jobs = [
            (runs[n % count], [Edit("gaussian", steps=[0], dose=1.0, seed=n)])
            for n in range(options.rows)
        ]
        batches = Batches(test, jobs, words)
        for width in options.width:
            taken, found, said = [], [], []
            for refilled in (True, False):
                taken.append(
                    test.seconds(
                        lambda width=width, refilled=refilled, of=batches: of.run(width, refilled),
                        options.repeat,
                    )
                )
                said.append(batches.said)
                found.append(batches.counted(width, refilled))
            (passes, busy), (others, idle) = found
            print(
                f"| {count} | {width} | {taken[0]:.2f} | {taken[1]:.2f} | "
                f"{taken[1] / taken[0]:.2f} × | {passes} against {others} | {busy:.0%} against "
                f"{idle:.0%} | {'yes' if said[0] == said[1] else 'no'} |",
                flush=True,
            )
        test.engine.store.clear()


if __name__ == "__main__":
    main()
