"""How the page bears many visitors and long sessions: answers, memory, latency.

    python benchmarks/soak.py many --visitors 8 --actions 50
    python benchmarks/soak.py long --actions 1000
    python benchmarks/soak.py hour --minutes 60

``many``: as many visitors as asked for work the real page over HTTP at once (runs, edits,
cancels, reloads), then one visitor does each one's actions alone; what they saw must be equal.
``long``: one visitor's session of edits. ``hour``: ``many`` again and again. What is printed:
latency (ms), resident memory (MB) after the first fifty actions and at the end, runs held by
the engine, and every action whose answer differed. The exit code is 1 where one did, or where
memory grew by more than a tenth.
"""

from __future__ import annotations

import argparse
import gc
import random
import socket
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

KINDS = ("zero", "gaussian", "permute", "repeat_first", "rotate")
GROWTH = 1.10  # of memory after the first fifty actions


def resident() -> float:
    """Megabytes of memory this process has."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def page_at(model: str, bounds: Any) -> Any:
    """The page, served, with its model ready."""
    from gui import app

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = app.Options(model=model, port=port, bounds=bounds)
    page = app.build(options)
    page.address = app.launch(page, options)
    page.workshop.start()
    page.workshop.done.wait()
    if not page.workshop.ready:
        raise SystemExit(page.workshop.failure)
    return page


def plan(seed: int, actions: int, examples: int) -> list[tuple[Any, ...]]:
    """What one visitor does, drawn by a seed: (act, and what it takes)."""
    draw = random.Random(seed)
    acts: list[tuple[Any, ...]] = [("example", seed % examples)]
    while len(acts) < actions:
        match draw.choices(["edit", "run", "cancel", "example", "reload"], [60, 15, 10, 10, 5])[0]:
            case "edit":
                acts.append(("edit", draw.choice(KINDS), draw.randrange(100)))
            case "run":
                acts.append(("run", f"{draw.choice(['What', 'Which'])} is at {draw.randrange(9)}?"))
            case "cancel":
                acts.append(("cancel",))
            case "example":
                acts.append(("example", draw.randrange(examples)))
            case "reload":
                acts.append(("reload", draw.randrange(examples)))
    return acts


class Worker:
    """One visitor who does a plan; ``saw`` is what came of each action, ``took`` how long."""

    def __init__(self, page: Any, acts: list[tuple[Any, ...]]) -> None:
        self.page, self.acts = page, acts
        self.saw: list[Any] = []
        self.took: list[float] = []
        self.failed = ""

    def enter(self, example: int) -> None:
        from tests.gui.visitor import Visitor

        self.tab = Visitor(self.page.address)
        self.tab.enter()
        self.tab.stay()
        self.tab.open()
        key = self.page.visits._sessions[self.tab.session]
        self.visit = self.page.visits._visits[key]
        self.tab.do("examples", "choose", {"index": example})

    def work(self, tick: Any = None) -> None:
        """Do everything, then close the tab."""
        try:
            self.enter(0)
            for act in self.acts:
                began = time.perf_counter()
                self.saw.append(self.do(*act))
                self.took.append(time.perf_counter() - began)
                if tick is not None:
                    tick()
            self.tab.close()
        except Exception as error:
            self.failed = f"{type(error).__name__}: {error}"

    def do(self, act: str, *given: Any) -> Any:
        tab = self.tab
        if act == "reload":
            tab.close()
            self.enter(given[0])
        elif act == "example":
            tab.do("examples", "choose", {"index": given[0]})
        elif act == "edit":
            tab.do("apply", edit_kind=given[0], edit_steps="all", edit_seed=given[1])
        elif act == "run":
            tab.do("run", question=given[0])
        elif act == "cancel":
            return self.cancel()
        return self.screen()

    def cancel(self) -> str:
        """A run that is stopped once it is under way; how far it came is left to chance."""
        messages = self.tab.watch("run", question="What is stopped?")
        next(messages)
        self.tab.do("stop")
        for _ in messages:
            pass
        self.tab.do("examples", "choose", {"index": 0})
        return "stopped"

    def screen(self) -> tuple[Any, ...]:
        """What this visitor has: answers, doses and titles, nothing that is drawn by chance."""
        visit = self.visit
        base, edited = visit.baseline, visit.edited
        return (
            visit.asked,
            base.answer if base else None,
            base.token_ids if base else None,
            edited.token_ids if edited else None,
            tuple(
                round(d.epsilon, 5) for r in (edited.receipts if edited else ()) for d in r.doses
            ),
            [b.title for b in visit.branches.values()],
            visit.say if visit.trouble else "",
        )


def at_once(page: Any, workers: list[Worker], tick: Any = None) -> float:
    """All workers together; seconds."""
    began = time.perf_counter()
    threads = [threading.Thread(target=w.work, args=(tick,)) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def settled(page: Any, seconds: float = 30) -> bool:
    """Wait until every closed tab is forgotten and nothing runs."""
    ended = time.monotonic() + seconds
    while (len(page.visits) or len(page.workshop.line)) and time.monotonic() < ended:
        time.sleep(0.1)
    return not len(page.visits) and not len(page.workshop.line)


def told(name: str, took: list[float]) -> None:
    """A line on latency."""
    if took:
        half = statistics.median(took) * 1000
        most = sorted(took)[int(0.95 * (len(took) - 1))] * 1000
        print(f"{name:28} {len(took):5} actions, median {half:6.0f} ms, 95 % {most:6.0f} ms")


def many(page: Any, visitors: int, actions: int, compare: bool = True) -> bool:
    """Many visitors at once, then each one's actions alone; whether all was well."""
    examples = len(page.workshop.items)
    plans = [plan(seed, actions, examples) for seed in range(visitors)]
    count, marks, lock = [0], [], threading.Lock()

    def tick() -> None:
        with lock:
            count[0] += 1
            if count[0] == min(50, visitors * actions // 2):
                marks.append(resident())

    workers = [Worker(page, acts) for acts in plans]
    seconds = at_once(page, workers, tick)
    calm = settled(page)
    after = resident()
    told("at once", [t for w in workers for t in w.took])
    print(f"{'all of them':28} {seconds:.0f} s; nothing left running: {calm}")
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
                if one != other:
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
    told("first 50", early)
    told("last 50", late)
    ratio = statistics.median(late) / statistics.median(early)
    print(f"{'latency, last over first':28} {ratio:.2f}")
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
    flags = parser.parse_args()
    from gui.bounds import Bounds

    page = page_at(flags.model, Bounds.hosted())
    try:
        if flags.what == "long":
            return 0 if long(page, flags.actions) else 1
        if flags.what == "many":
            return 0 if many(page, flags.visitors, flags.actions) else 1
        ended, well, start = time.monotonic() + 60 * flags.minutes, True, 0.0
        while time.monotonic() < ended:
            well = many(page, flags.visitors, flags.actions, compare=False) and well
            start = start or resident()
            print(
                f"{'since the first round':28} {resident() / start:.3f} of its memory", flush=True
            )
        return 0 if well and resident() <= GROWTH * start else 1
    finally:
        page.close(verbose=False)


if __name__ == "__main__":
    sys.exit(main())
