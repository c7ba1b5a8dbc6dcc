"""What a sweep costs, against asking the whole question again for every dose.

    python benchmarks/sweep.py [--model FOLDER] [--doses 64] [--repeat 3]

Prints, for that many doses of noise on all latents of one run: the sweep as the page makes it
(branches in batches, options scored, words teacher-forced, the figure built), the same branches
one after the other, and the same doses by re-running the question with the noise put in by
hand; wall and CPU seconds, medians. Then the sham and the swapped picture, whose prompts are
read again, and the cost against the size of a chunk.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import core  # noqa: E402
from core import Edit, Trace  # noqa: E402
from core.engine import Engine  # noqa: E402
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
    print("branches of a chunk, wall and CPU seconds of the whole sweep:")
    for chunk in (1, 4, 16, 32, 64):
        wall, cpu = timed(
            lambda c=chunk: finished(sweep(engine, trace, wanted, options, chunk=c)), 1
        )
        print(f"  {chunk:4}  {wall:6.2f}  {cpu:6.2f}")


if __name__ == "__main__":
    main()
