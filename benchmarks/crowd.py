"""Visitors of a served page, for the scripts that measure how it bears many of them.

A visitor is a browser tab without a browser (``tests/gui/visitor.py``) that does what a plan says;
a plan is drawn from a seed, so that the same one can be done again, alone.
"""

from __future__ import annotations

import math
import random
import socket
import threading
import time
from typing import Any

KINDS = ("zero", "gaussian", "permute", "repeat_first", "rotate")


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
    """One visitor who does a plan.

    ``saw`` is what came of each action, ``took`` how long it lasted, ``used`` the processor time of
    the process meanwhile, which is the action's own where nobody else is there.

    Args:
        think: seconds between two actions, on the average.
    """

    def __init__(self, page: Any, acts: list[tuple[Any, ...]], think: float = 0.0) -> None:
        self.page, self.acts, self.think = page, acts, think
        self.saw: list[Any] = []
        self.took: list[float] = []
        self.used: list[float] = []
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
            thinking = random.Random(str(self.acts))
            for act in self.acts:
                time.sleep(thinking.uniform(0.2, 1.8) * self.think)
                began, spent = time.perf_counter(), time.process_time()
                self.saw.append(self.do(*act))
                self.took.append(time.perf_counter() - began)
                self.used.append(time.process_time() - spent)
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
            tuple(d.epsilon for r in (edited.receipts if edited else ()) for d in r.doses),
            [b.title for b in visit.branches.values()],
            visit.say if visit.trouble else "",
        )


def same(one: Any, other: Any) -> bool:
    """Whether two visitors saw the same; doses are numbers that a batch rounds otherwise."""
    if isinstance(one, tuple | list) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, abs_tol=1e-4)
    return bool(one == other)


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
