"""How cost grows with image tokens, latents and branches; tables with fitted exponents.

    python benchmarks/growth.py [--shape demo|3b|7b] [--layers N] [--most-tokens 8192]
                                [--most-latents 64] [--most-branches 256] [--repeat 3]
                                [--tables latents branches image] [--threads 1]

Image tokens 256 → 8,192: the vision tower, the prompt pass in parts of 2,048 slots and all at once,
each with the most memory it takes beside the weights, and a decode step behind it. Latents 1 → 64:
the span alone. Branches 1 → 256 at the last latent: time and the bytes of their own slots. An
exponent is the slope of the least-squares line through the logarithms with its 95 % interval
(Student's t on the residuals), over all sizes and over the upper half, where what is fixed no
longer hides the growth; three sizes are the fewest that give an interval, two the fewest that give
a slope. Sizes above 2,048 image tokens are run once, cold. On a CPU and one thread times are the
process's own.
"""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.shapes import Bench, asked_for, made  # noqa: E402
from core import Edit  # noqa: E402
from core.engine import passes as core_passes  # noqa: E402

STATUS = Path("/proc/self/status")
BUDGET = 10
STEPS = 16
WARM = 2048
TABLES = ("latents", "branches", "image")


def doubled(first: int, last: int) -> list[int]:
    """first, 2·first, … up to last."""
    return [first << n for n in range((last // first).bit_length())]


def exponent(sizes: Sequence[int], values: Sequence[float]) -> str:
    """Slope of log value against log size, ± half its 95 % interval; "–" where there is none."""
    points = [(math.log(n), math.log(v)) for n, v in zip(sizes, values, strict=True) if v > 0]
    if len({x for x, _ in points}) < 2:
        return "–"
    fit = stats.linregress(*zip(*points, strict=True))
    if len(points) < 3:
        return f"{fit.slope:.2f}"
    half = stats.t.ppf(0.975, len(points) - 2) * fit.stderr
    return f"{fit.slope:.2f} ± {half:.2f}"


def table(title: str, names: Sequence[str], sizes: Sequence[int], rows: list[list[float]]) -> None:
    """Print a Markdown table with lines of exponents."""
    print(f"\n| {title} | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for size, row in zip(sizes, rows, strict=True):
        print(f"| {size:,} | " + " | ".join(f"{value:,.2f}" for value in row) + " |")
    half = len(sizes) // 2
    for said, part in (("exponent", slice(None)), ("exponent, upper half", slice(half, None))):
        slopes = [exponent(sizes[part], [row[i] for row in rows][part]) for i in range(len(names))]
        print(f"| {said} | " + " | ".join(slopes) + " |", flush=True)


def image_tokens(test: Bench, sizes: Sequence[int], repeat: int) -> None:
    """Vision tower, prompt pass (in parts, at once; the most memory of each), and a step."""
    passes, rows, usual = test.engine.passes, [], core_passes.CHUNK
    for size in sizes:
        inputs = test.question(size)
        often, cold = (repeat, False) if size <= WARM else (1, True)
        pixels, grid = inputs["pixel_values"], inputs["image_grid_thw"].to(passes.device)

        def look(pixels=pixels, grid=grid) -> None:  # type: ignore[no-untyped-def]
            passes.see.clear()
            passes.see(pixels, grid)

        seeing = test.seconds(look, often, cold)
        reading = []
        for chunk in (usual, 1 << 30):
            core_passes.CHUNK = chunk

            def read(inputs=inputs) -> None:  # type: ignore[no-untyped-def]
                passes.prefixes.clear()
                passes.prefill(inputs)

            with Peak(test.device) as peak:
                taken = test.seconds(read, often, cold)
            reading += [taken * 1e3, peak.mebibytes]
        core_passes.CHUNK = usual

        def say(inputs=inputs) -> None:  # type: ignore[no-untyped-def]
            test.engine.decode(inputs, None, STEPS, BUDGET, force_latents=True)
            test.engine.store.clear()

        stepping = test.step_seconds(passes, "decode", say, often)
        rows.append([seeing * 1e3, *reading, stepping * 1e3])
    names = ["vision tower, ms", "prompt pass, ms", "MiB", "at once, ms", "MiB", "a step, ms"]
    table("image tokens", names, sizes, rows)


class Peak:
    """The most memory taken while it is entered, beyond what was held before, caches included.

    Of a GPU's allocator, or of this process as Linux counts it (``VmHWM``, which is set back on
    entering); NaN elsewhere.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.mebibytes = float("nan")

    def __enter__(self) -> Peak:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device) / 2**20
        elif STATUS.exists():
            gc.collect()
            Path("/proc/self/clear_refs").write_text("5")
            self._before = self._kib("VmRSS") / 1024
        return self

    def __exit__(self, *_: object) -> None:
        if self._device.type == "cuda":
            most = torch.cuda.max_memory_allocated(self._device) / 2**20
        elif STATUS.exists():
            most = self._kib("VmHWM") / 1024
        else:
            return
        self.mebibytes = most - self._before

    def _kib(self, name: str) -> int:
        lines = STATUS.read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(name)))


def latents(test: Bench, tokens: int, sizes: Sequence[int], repeat: int) -> None:
    """A span of so many latents, in milliseconds: from its first pass to the one behind it."""
    inputs, rows = test.question(tokens), []

    def think(budget: int) -> None:
        test.engine.decode(inputs, None, budget + 2, budget, force_latents=True)
        test.engine.store.clear()

    for size in sizes:
        taken = []
        for _ in range(repeat + 1):
            at = test.stamps(test.engine.passes, "decode", lambda size=size: think(size))
            taken.append(at[size] - at[0])
        span = median(taken[1:])
        rows.append([span * 1e3, span * 1e3 / size])
    table("latents", ["the span, ms", "a latent, ms"], sizes, rows)


def branches(test: Bench, tokens: int, sizes: Sequence[int], repeat: int) -> None:
    """Branches at the last latent with 16 words behind it."""
    engine, rows = test.engine, []
    trace = engine.decode(test.question(tokens), None, BUDGET + 16, BUDGET, force_latents=True)
    for size in sizes:
        lists = [[Edit("gaussian", steps=[BUDGET - 1], dose=1.0, seed=s)] for s in range(size)]
        often = repeat if size <= 64 else 1

        def make(lists=lists) -> None:  # type: ignore[no-untyped-def]
            made = engine.branches(trace, lists, keep=False)
            engine.store.forget(*(child.id for child in made))

        taken = test.seconds(make, often)
        kept = engine.branches(trace, lists, keep=True)
        own = sum(engine.live(engine.hold(child)).cache.own_bytes for child in kept)
        engine.store.forget(*(child.id for child in kept))
        rows.append([taken * 1e3, taken * 1e3 / size, own / 2**20])
    table("branches", ["all, ms", "a branch, ms", "own slots, MiB"], sizes, rows)


def main() -> None:
    """Measure and print."""
    parser = asked_for(__doc__)
    parser.add_argument("--most-tokens", type=int, default=8192)
    parser.add_argument("--most-latents", type=int, default=64)
    parser.add_argument("--most-branches", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=256, help="of the other two tables")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    options = parser.parse_args()
    test = made(options)
    print(f"{test.name}, threads {options.threads}, decoded {test.engine.passes.captured.mode}")
    sizes = doubled(256, options.most_tokens)
    if "latents" in options.tables:
        latents(test, options.tokens, doubled(1, options.most_latents), options.repeat)
    if "branches" in options.tables:
        branches(test, options.tokens, doubled(1, options.most_branches), options.repeat)
    if "image" in options.tables:
        image_tokens(test, sizes, options.repeat)


if __name__ == "__main__":
    main()
