"""What a sweep costs, against asking the whole question again for every dose.

    python benchmarks/sweep.py [--model FOLDER] [--doses 64] [--repeat 3]

Prints, for that many doses of noise on all latents of one run: the sweep as the page makes it
(branches in batches, options scored, words teacher-forced, the figure built), the same branches
one after the other, and the same doses by re-running the question with the noise put in by
hand; wall and CPU seconds, medians. Then the sham and the swapped picture, whose prompts are
read again, the cost against the number of branches decoded at a time, and the same with answers of
very unlike lengths (log-normal, drawn once): all seconds, those to the first points a person sees,
and the most runs the engine held.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import core  # noqa: E402
from core import Edit, Trace  # noqa: E402
from core.engine import Engine, branching  # noqa: E402
from core.scenes import gallery  # noqa: E402
from core.study import wishes  # noqa: E402
from core.study.sweep import Sweep, Wish, finished, sweep  # noqa: E402


def timed(action: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Median wall and CPU seconds of ``action`` after one unmeasured call."""
    action()
    wall, cpu = [], []
    for _ in range(repeat):
        start = time.perf_counter(), time.process_time()
        action()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return statistics.median(wall), statistics.median(cpu)


def drawn(engine: Engine, trace: Trace, wanted: Sequence[Wish], options: Sequence[str]) -> Sweep:
    """A sweep and its figure as the page sends it."""
    from gui.sweeping import Asked, Subject
    from gui.swept import figure

    found = finished(sweep(engine, trace, wanted, options))
    about = Subject(trace, "Baseline", 0, tuple(options), engine.name, engine.passes.layers)
    json.dumps(figure("doses", Asked(draws=1), about, found))
    return found


def one_by_one(
    engine: Engine, trace: Trace, wanted: Sequence[Wish], options: Sequence[str]
) -> None:
    """The same branches, each by itself."""
    for wish in wanted:
        child = engine.branch(trace, wish.edits)
        engine.score(child, options)
        engine.forced_logits([child], trace)
        engine.store.forget(child.id)


def again(engine: Engine, item: object, doses: Sequence[float], options: Sequence[str]) -> None:
    """The question asked anew for every dose, noise put into each latent as it comes."""
    for seed, dose in enumerate(doses):
        draw = torch.Generator().manual_seed(seed)
        stream = engine.stream(item.image, item.question)  # type: ignore[attr-defined]
        sent = None
        while True:
            try:
                step = next(stream) if sent is None else stream.send(sent)
            except StopIteration:
                break
            sent = None
            if step.latent is not None:
                noise = torch.randn(step.latent.shape, generator=draw)
                sent = step.latent + dose * step.latent.norm() * noise / noise.norm()
            if step.trace is not None:
                engine.score(step.trace, options)
                engine.store.forget(step.trace.id)


@contextmanager
def unlike(engine: Engine, spread: float) -> Iterator[None]:
    """Branches end after log-normal numbers of words, in the order in which they are begun."""
    usual, draw, end = branching.fork_row, random.Random(0), engine.ids.eos

    def fork_row(*args, **more):  # type: ignore[no-untyped-def]
        row = usual(*args, **more)
        words = max(2, min(160, round(24 * draw.lognormvariate(0, spread))))
        row.plan = replace(row.plan, banned=(*row.plan.banned, *end))
        row.forced = {row.place + words: end[0]}
        return row

    branching.fork_row = fork_row
    try:
        yield
    finally:
        branching.fork_row = usual


def watched(
    engine: Engine, trace: Trace, wanted: Sequence[Wish], options: Sequence[str], chunk: int
) -> tuple[float, float, int]:
    """Seconds of a sweep with unlike answers, those to its first points, and runs held at most."""
    most, first, before = 0, float("nan"), len(engine.store)
    usual = engine.store.put

    def put(held):  # type: ignore[no-untyped-def]
        nonlocal most
        usual(held)
        most = max(most, len(engine.store) - before)

    engine.store.put = put  # type: ignore[method-assign]
    began = time.perf_counter()
    with unlike(engine, 0.8):
        for state in sweep(engine, trace, wanted, options, chunk=chunk):
            if state.points and first != first:
                first = time.perf_counter() - began
    del engine.store.put  # type: ignore[method-assign]
    return time.perf_counter() - began, first, most


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(ROOT / "assets" / "models" / "faithful"))
    parser.add_argument("--doses", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    engine, item = core.load(asked.model), gallery()[0]
    trace = engine.run(item.image, item.question)
    doses = torch.logspace(-1.5, 0.7, asked.doses).tolist()
    options = list(item.options)
    wanted = [
        Wish(wishes.LATENTS, (Edit("gaussian", dose=d, seed=n),), d, n) for n, d in enumerate(doses)
    ]
    print(f"{engine.name}: {asked.doses} doses, {len(options)} options, K = {len(trace.spans[0])}")
    whole = timed(lambda: drawn(engine, trace, wanted, options), asked.repeat)
    singles = timed(lambda: one_by_one(engine, trace, wanted, options), 1)
    reruns = timed(lambda: again(engine, item, doses, options), 1)
    for name, (wall, cpu) in (
        ("sweep, drawn", whole),
        ("branches one by one", singles),
        ("question re-run for each", reruns),
    ):
        ratio = f"{wall / whole[0]:5.1f} × the sweep"
        print(f"  {name:26} {wall:6.2f} s wall  {cpu:6.2f} s CPU  {ratio}")
    other = engine.see(gallery()[1].image, trace)
    shams = [Wish(wishes.SHAM, (Edit("sham", dose=d, seed=n),), d, n) for n, d in enumerate(doses)]
    swaps = [
        Wish(wishes.PICTURE, (Edit("picture", values=other, fraction=(n + 1) / len(doses)),), n)
        for n in range(len(doses))
    ]
    for name, some in (("sham", shams), ("picture swapped", swaps)):
        wall, cpu = timed(lambda s=some: finished(sweep(engine, trace, s, options)), 1)
        print(f"  {name:26} {wall:6.2f} s wall  {cpu:6.2f} s CPU")
    print("branches at a time, wall and CPU seconds of the whole sweep:")
    for chunk in (1, 4, 16, 32, 64):
        wall, cpu = timed(
            lambda c=chunk: finished(sweep(engine, trace, wanted, options, chunk=c)), 1
        )
        print(f"  {chunk:4}  {wall:6.2f}  {cpu:6.2f}")
    print("the same with unlike answers: seconds, to the first points, runs held at most:")
    longer = [replace(w, edits=(replace(w.edits[0], seed=n),)) for n, w in enumerate(wanted * 2)]
    for chunk in (8, 32):
        taken = [watched(engine, trace, longer, options, chunk) for _ in range(asked.repeat)]
        seconds, first, held = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"  {chunk:4}  {seconds:6.2f}  {first:6.2f}  {held:4.0f}")


if __name__ == "__main__":
    main()
