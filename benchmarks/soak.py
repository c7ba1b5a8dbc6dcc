"""How the page bears many visitors and long sessions: answers, memory, latency.

    python benchmarks/soak.py many --visitors 8 --actions 50
    python benchmarks/soak.py long --actions 1000
    python benchmarks/soak.py hour --minutes 60 --think 25

``many``: as many visitors as asked for work the real page over HTTP at once (runs, edits,
cancels, reloads), then one visitor does each one's actions alone; what they saw must be equal.
``long``: one visitor's session of edits. ``hour``: ``many`` again and again, everybody thinking
for ``--think`` seconds between two actions, more or less. What is printed: latency (ms), processor
time of the whole process, resident memory (MB) after the first fifty actions and at the end, runs
held by the engine, what visitors were told went wrong, and every action whose answer differed.
The exit code is 1 where one did, or where memory grew by more than a tenth.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.crowd import KINDS, Worker, at_once, page_at, plan, same, settled

GROWTH = 1.10  # of memory after the first fifty actions


def resident() -> float:
    """Megabytes of memory this process has."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def told(name: str, took: list[float]) -> None:
    """A line on latency."""
    if took:
        half = statistics.median(took) * 1000
        most = sorted(took)[int(0.95 * (len(took) - 1))] * 1000
        print(f"{name:28} {len(took):5} actions, median {half:6.0f} ms, 95 % {most:6.0f} ms")


def many(
    page: Any, visitors: int, actions: int, compare: bool = True, think: float = 0, first: int = 0
) -> bool:
    """Many visitors at once, then each one's actions alone; whether all was well.

    Args:
        compare: whether they are done alone as well.
        think: see :class:`Worker`.
        first: seed of the first visitor's plan.
    """
    examples = len(page.workshop.items)
    plans = [plan(first + seed, actions, examples) for seed in range(visitors)]
    count, marks, lock = [0], [], threading.Lock()

    def tick() -> None:
        with lock:
            count[0] += 1
            if count[0] == min(50, visitors * actions // 2):
                marks.append(resident())

    workers = [Worker(page, acts, think) for acts in plans]
    spent = time.process_time()
    seconds = at_once(page, workers, tick)
    spent = time.process_time() - spent
    calm = settled(page)
    after = resident()
    told("at once", [t for w in workers for t in w.took])
    print(f"{'all of them':28} {seconds:.0f} s, {spent:.0f} s of processor time; "
          f"nothing left running: {calm}")  # fmt: skip
    troubles = Counter(seen[-1] for w in workers for seen in w.saw if seen != "stopped")
    for sentence in sorted(set(troubles) - {""}):
        print(f"{'told to a visitor':28} {troubles[sentence]} × {sentence}")
    held = len(page.workshop.engine.store)
    print(f"{'memory':28} {marks[0]:.0f} MB after the first 50, {after:.0f} MB at the end")
    print(f"{'runs held at the end':28} {held} (examples: {len(page.workshop._runs)})")
    well = calm and after <= GROWTH * marks[0] and held <= len(page.workshop._runs)
    for worker in workers:
        if worker.failed:
            print(f"a visitor failed: {worker.failed}")
            well = False
    if compare:
        differ = 0
        for worker, acts in zip(workers, plans, strict=True):
            alone = Worker(page, acts)
            alone.work()
            settled(page)
            for act, one, other in zip(acts, worker.saw, alone.saw, strict=False):
                if not same(one, other):
                    differ += 1
                    print(f"differs: {act}\n  at once {one}\n  alone   {other}")
        print(f"{'answers that differ alone':28} {differ} of {sum(map(len, plans))}")
        well = well and not differ
    return well


def long(page: Any, actions: int) -> bool:
    """One session of edits; whether memory and latency stayed level."""
    acts = [("edit", KINDS[i % len(KINDS)], i) for i in range(actions)]
    worker = Worker(page, acts)
    memory = []

    def tick() -> None:
        if len(worker.took) % 50 == 0:
            memory.append(resident())
            print(f"{len(worker.took):6} edits, {memory[-1]:7.1f} MB, "
                  f"{len(page.workshop.engine.store)} runs held", flush=True)  # fmt: skip

    worker.work(tick)
    if worker.failed:
        print(f"failed: {worker.failed}")
        return False
    early, late = worker.took[:50], worker.took[-50:]
    for name, first, last in (
        ("time", early, late), ("processor time", worker.used[:50], worker.used[-50:])
    ):  # fmt: skip
        told(f"{name}, first 50", first)
        told(f"{name}, last 50", last)
        ratio = statistics.median(last) / statistics.median(first)
        print(f"{name + ', last over first':28} {ratio:.2f}")
    print(f"{'memory, end over first 50':28} {memory[-1] / memory[0]:.3f}")
    settled(page)
    return memory[-1] <= GROWTH * memory[0]


def main() -> int:
    """Read the flags, run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["many", "long", "hour"])
    parser.add_argument("--model", default="assets/models/faithful")
    parser.add_argument("--visitors", type=int, default=8)
    parser.add_argument("--actions", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--think", type=float, default=25, help="seconds; of the hour alone")
    flags = parser.parse_args()
    from gui.bounds import Bounds

    page = page_at(flags.model, Bounds.hosted())
    try:
        if flags.what == "long":
            return 0 if long(page, flags.actions) else 1
        if flags.what == "many":
            return 0 if many(page, flags.visitors, flags.actions) else 1
        began, well, start, rounds = time.monotonic(), True, 0.0, 0
        while time.monotonic() < began + 60 * flags.minutes:
            first = flags.visitors * rounds
            well = many(page, flags.visitors, flags.actions, False, flags.think, first) and well
            start, rounds = start or resident(), rounds + 1
            minutes, grown = (time.monotonic() - began) / 60, resident() / start
            print(f"{'minutes gone':28} {minutes:.1f}; {grown:.3f} of the first round's memory")
            sys.stdout.flush()
        return 0 if well and resident() <= GROWTH * start else 1
    finally:
        page.close(verbose=False)


if __name__ == "__main__":
    sys.exit(main())
