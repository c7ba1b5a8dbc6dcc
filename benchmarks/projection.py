"""What a map costs against the number of points.

    python benchmarks/projection.py [--points 50 500 2000 5000] [--widths 256 3584] [--threads 2]

Prints for every number of points and width: the principal plane, UMAP (neighbours included),
the numbers under the map, and placing 50 further points on the finished map; each in seconds
of wall clock and, in brackets, of processor time, which a busy machine does not stretch; and
how the cost grows from one size to the next against how the points do. Then the start of a
process, with an empty folder of compiled code and with a filled one: the second is to compile
nothing. Exit code 1 when a target is missed by processor time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.measures.projection import Projection, place, project  # noqa: E402

TARGETS = {"PCA": 1.0, "UMAP": 15.0, "place 50": 0.5}  # seconds at 5,000 × 3,584

START = """
import sys, time
begin = time.perf_counter(), time.process_time()
sys.path.insert(0, {root!r})
import torch
from core.measures.projection import place, project
ready = time.perf_counter(), time.process_time()
points = torch.randn(60, 256, generator=torch.Generator().manual_seed(0))
from core.measures.compiled import load_umap
load_umap()
loaded = time.perf_counter(), time.process_time()
made = project(points[:50], "umap")
fitted = time.perf_counter(), time.process_time()
place(made, points[50:])
placed = time.perf_counter(), time.process_time()
times = [begin, ready, loaded, fitted, placed]
print(*[b[i] - a[i] for i in (0, 1) for a, b in zip(times, times[1:])])
"""


def latents(count: int, width: int, seed: int = 0) -> torch.Tensor:
    """Points like a bank's: items in 12 groups on a plane of 24 directions, with noise."""
    draw = torch.Generator().manual_seed(seed)
    basis = torch.randn(24, width, generator=draw) / width**0.5
    centres = 4 * torch.randn(12, 24, generator=draw)
    group = torch.randint(0, 12, (count,), generator=draw)
    inside = centres[group] + torch.randn(count, 24, generator=draw)
    return inside @ basis * 10 + torch.randn(count, width, generator=draw) / width**0.5


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall clock and of processor time."""
    wall, used = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - used


def costs(count: int, width: int) -> dict[str, tuple[float, float]]:
    """What each part costs at one size."""
    points, further = latents(count, width), latents(50, width, seed=1)
    made: dict[str, Projection] = {}

    def fit(method: str) -> None:
        made[method] = project(points, method)

    return {
        "PCA": timed(lambda: fit("pca")),
        "UMAP": timed(lambda: fit("umap")),
        "quality": timed(lambda: made["umap"].quality),
        "place 50": timed(lambda: place(made["umap"], further)),
    }


def start(folder: Path) -> list[float]:
    """Seconds of a fresh process: torch, umap, first fit, first placing; wall, then processor."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    script = START.format(root=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return [float(number) for number in done.stdout.split()]


def sizes(points: list[int], widths: list[int]) -> bool:
    """Print the costs by size; False when a target is missed."""
    met = True
    project(latents(50, 16), "umap")  # loads what is compiled
    for width in widths:
        print(f"\nwidth {width:,}")
        before: dict[str, tuple[float, float]] = {}
        previous = 0
        for count in points:
            found = costs(count, width)
            cells = [f"{what} {wall:7.3f} ({used:7.3f}) s" for what, (wall, used) in found.items()]
            print(f"{count:6,} points: " + "   ".join(cells))
            if before:
                grown = [
                    f"{what} × {found[what][1] / max(before[what][1], 1e-3):.1f}" for what in found
                ]
                print(f"       points × {count / previous:.1f}: " + ", ".join(grown))
            before, previous = found, count
            if (count, width) == (5000, 3584):
                for what, most in TARGETS.items():
                    good = found[what][1] < most
                    met &= good
                    print(f"       {what} below {most:g} s: {'yes' if good else 'NO'}")
    return met


def processes() -> bool:
    """Print what a process costs before its first map; False when the second compiles again."""
    print("\na process: torch and core, umap, first fit of 50, first placing of 10")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("nothing compiled", "compiled before"):
            numbers = start(Path(folder))
            wall, used = numbers[:4], numbers[4:]
            pairs = zip(wall, used, strict=True)
            print(f"{name:>17}: " + "   ".join(f"{w:6.2f} ({u:6.2f}) s" for w, u in pairs))
    again = used[2] + used[3] > 1.0
    print(f"the second process compiles: {'YES' if again else 'no'}")
    return not again


def main() -> int:
    """Measure, print, and say by the exit code whether the targets were met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, nargs="+", default=[50, 500, 2000, 5000])
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 3584])
    parser.add_argument("--no-start", action="store_true", help="leave out the two processes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads; wall clock (processor time)")
    met = sizes(arguments.points, arguments.widths)
    if not arguments.no_start:
        met &= processes()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
