"""How cost grows with image tokens, latents and branches; tables with fitted exponents.

    python benchmarks/growth.py [--shape demo|3b|7b] [--layers N] [--most-tokens 8192]
                                [--most-latents 64] [--most-branches 256] [--repeat 3]

Image tokens 256 → 8,192: the vision tower, the prompt pass, a decode step behind it. Latents
1 → 64: the span alone. Branches 1 → 256 at the last latent, in one batch: time and the bytes of
their own slots. An exponent is the slope of the least-squares line through the logarithms, over
all sizes and over the upper half, where what is fixed no longer hides the growth. On a CPU times
are the process's own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.shapes import Bench, asked_for, made  # noqa: E402
from core import Edit  # noqa: E402

BUDGET = 10
STEPS = 16


def doubled(first: int, last: int) -> list[int]:
    """first, 2·first, … up to last."""
    return [first << n for n in range((last // first).bit_length())]


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Slope of log value against log size."""
    points = [(math.log(n), math.log(v)) for n, v in zip(sizes, values, strict=True) if v > 0]
    x = sum(p[0] for p in points) / len(points)
    y = sum(p[1] for p in points) / len(points)
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def table(title: str, names: Sequence[str], sizes: Sequence[int], rows: list[list[float]]) -> None:
    """Print a Markdown table with a line of exponents."""
    print(f"\n| {title} | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for size, row in zip(sizes, rows, strict=True):
        print(f"| {size} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    half = len(sizes) // 2
    for said, part in (("exponent", slice(None)), ("exponent, upper half", slice(half, None))):
        slopes = [exponent(sizes[part], [row[i] for row in rows][part]) for i in range(len(names))]
        print(f"| {said} | " + " | ".join(f"{slope:.2f}" for slope in slopes) + " |", flush=True)


def image_tokens(test: Bench, sizes: Sequence[int], repeat: int) -> None:
    """Vision tower, prompt pass and a step, in milliseconds."""
    passes, rows = test.engine.passes, []
    for size in sizes:
        inputs = test.question(size)
        often = repeat if size <= 2048 else 1
        pixels, grid = inputs["pixel_values"], inputs["image_grid_thw"].to(passes.device)

        def look(pixels=pixels, grid=grid) -> None:  # type: ignore[no-untyped-def]
            passes.see.clear()
            passes.see(pixels, grid)

        def read(inputs=inputs) -> None:  # type: ignore[no-untyped-def]
            passes.prefixes.clear()
            passes.prefill(inputs)

        seeing = test.seconds(look, often)
        reading = test.seconds(read, often)

        def say(count: int, inputs=inputs) -> None:  # type: ignore[no-untyped-def]
            test.engine.decode(inputs, None, count, BUDGET, force_latents=True)
            test.engine.store.clear()

        stepping = (
            test.seconds(lambda say=say: say(STEPS + 1), often)
            - test.seconds(lambda say=say: say(1), often)
        ) / STEPS
        rows.append([seeing * 1e3, reading * 1e3, stepping * 1e3])
    table("image tokens", ["vision tower, ms", "prompt pass, ms", "a step, ms"], sizes, rows)


def latents(test: Bench, tokens: int, sizes: Sequence[int], repeat: int) -> None:
    """A span of so many latents, in milliseconds, its prompt known."""
    inputs, rows = test.question(tokens), []

    def think(budget: int) -> None:
        test.engine.decode(inputs, None, budget + 1, budget, force_latents=True)
        test.engine.store.clear()

    def listen() -> None:
        test.engine.decode(inputs, None, 1, 1)
        test.engine.store.clear()

    before = test.seconds(listen, repeat)
    for size in sizes:
        taken = test.seconds(lambda size=size: think(size), repeat) - before
        rows.append([max(taken, 1e-6) * 1e3, max(taken, 1e-6) * 1e3 / size])
    table("latents", ["the span, ms", "a latent, ms"], sizes, rows)


def branches(test: Bench, tokens: int, sizes: Sequence[int], repeat: int) -> None:
    """Branches at the last latent with 16 words behind it."""
    engine, rows = test.engine, []
    trace = engine.decode(test.question(tokens), None, BUDGET + 16, BUDGET, force_latents=True)
    for size in sizes:
        lists = [[Edit("gaussian", steps=[BUDGET - 1], dose=1.0, seed=s)] for s in range(size)]
        often = repeat if size <= 64 else 1
        taken = test.seconds(lambda lists=lists: engine.branches(trace, lists, keep=False), often)
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
    options = parser.parse_args()
    test = made(options)
    print(f"{test.name}, threads {options.threads}, decoded {test.engine.passes.captured.mode}")
    latents(test, options.tokens, doubled(1, options.most_latents), options.repeat)
    branches(test, options.tokens, doubled(1, options.most_branches), options.repeat)
    image_tokens(test, doubled(256, options.most_tokens), options.repeat)


if __name__ == "__main__":
    main()
