"""What one visitor has on the screen: the runs and their branches, and what is selected."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gui.bounds import Bounds

if TYPE_CHECKING:
    from PIL import Image

    from core.records import Trace
    from gui.workshop import Workshop


@dataclass
class Branch:
    """A run or an edited run, with the name a person gave it."""

    trace: Trace
    title: str
    depth: int = 0


@dataclass
class Visit:
    """One tab of one browser.

    Attributes:
        image, uri: the picture and its ``data:`` address.
        asked: the question on the screen's run.
        options: answer options that are scored.
        example: index of the built-in example on the screen.
        branches: trace id → branch, in the order they were made.
        base, shown: ids of the run compared with and of the one on the screen.
        span, steps: what is selected.
        picked: when, so that late news of an earlier selection is told apart.
        past, future: (base, shown) pairs for undo and redo.
        scores: trace id → option → log-probability.
        cancel: set to stop what is running.
        say, trouble: the line under the question, and whether it tells of a problem.
        patches: tensor (P, D), the picture's patch embeddings; None before the first run.
        pending: a step-wise run (:class:`gui.asking.Pending`) that waits before a latent is fed.
        going: something is being asked of the model for this visit.
        model: name of the model its runs belong to; "" for the one the page opened with.
        beside: what other parts of the page keep for this visit, by their names.
        bounds: how much it may ask for.
        held: id of a run → the model that holds it for this visit.
        seen: monotonic time of the last sign of life.
        left: the tab was closed or forgotten; what still comes of it is let go of.
    """

    image: Image.Image | None = None
    uri: str = ""
    asked: str = ""
    options: tuple[str, ...] = ()
    example: int | None = None
    branches: OrderedDict[str, Branch] = field(default_factory=OrderedDict)
    base: str | None = None
    shown: str | None = None
    span: int = 0
    steps: tuple[int, ...] = ()
    picked: float = 0.0
    past: list[tuple[str | None, str | None]] = field(default_factory=list)
    future: list[tuple[str | None, str | None]] = field(default_factory=list)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    cancel: threading.Event = field(default_factory=threading.Event)
    say: str = ""
    trouble: bool = False
    patches: Any = None
    pending: Any = None
    going: bool = False
    model: str = ""
    beside: dict[str, Any] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    held: dict[str, Workshop] = field(default_factory=dict)
    seen: float = field(default_factory=time.monotonic)
    left: bool = False

    def trace(self, id: str | None) -> Trace | None:
        """The run called ``id``, None when it is not kept."""
        branch = self.branches.get(id) if id else None
        return branch.trace if branch else None

    @property
    def baseline(self) -> Trace | None:
        """The run the screen compares with."""
        return self.trace(self.base)

    @property
    def edited(self) -> Trace | None:
        """The branch on the screen; None while the baseline itself is shown."""
        return self.trace(self.shown) if self.shown != self.base else None

    def clear(self) -> None:
        """Nothing has been run: earlier branches belong to another question and go."""
        self.branches.clear()
        self.scores.clear()
        self.past.clear()
        self.future.clear()
        self.base = self.shown = self.patches = None
        self.span, self.steps = 0, ()

    def begin(self, trace: Trace, title: str = "Baseline") -> None:
        """A fresh run, the first of its question."""
        patches = self.patches
        self.clear()
        self.patches = patches
        self.branches[trace.id] = Branch(trace, title)
        self.base = self.shown = trace.id

    def grow(self, trace: Trace, title: str, parent: str) -> None:
        """A branch of ``parent``, shown at once."""
        depth = self.branches[parent].depth + 1 if parent in self.branches else 1
        self.branches[trace.id] = Branch(trace, title, depth)
        while len(self.branches) > self.bounds.branches:
            self.forget(next(i for i in self.branches if i not in (self.base, trace.id)))
        self.look(self.base, trace.id)

    def look(self, base: str | None, shown: str | None) -> None:
        """Put another pair on the screen, in a way that can be undone."""
        if (base, shown) != (self.base, self.shown):
            self.past.append((self.base, self.shown))
            self.future.clear()
            self.base, self.shown = base, shown

    def undo(self) -> bool:
        """Back to the pair before; False when there is none."""
        return self._travel(self.past, self.future)

    def redo(self) -> bool:
        """Forward again; False when there is nothing to redo."""
        return self._travel(self.future, self.past)

    def _travel(self, source: list[Any], target: list[Any]) -> bool:
        while source:
            pair = source.pop()
            if pair != (self.base, self.shown) and all(i in self.branches for i in pair):
                target.append((self.base, self.shown))
                self.base, self.shown = pair
                return True
        return False

    def forget(self, id: str) -> None:
        """Delete a branch; what was on the screen falls back to the run it grew from."""
        if id not in self.branches or len(self.branches) == 1:
            return
        del self.branches[id]
        self.scores.pop(id, None)
        first = next(iter(self.branches))
        self.base = self.base if self.base in self.branches else first
        self.shown = self.shown if self.shown in self.branches else self.base


def within(visit: Visit) -> Iterator[Visit]:
    """A visit and those that other parts of the page keep beside it."""
    yield visit
    for thing in list(visit.beside.values()):
        inner = thing if isinstance(thing, Visit) else getattr(thing, "visit", None)
        inner = inner or getattr(getattr(thing, "show", None), "visit", None)
        if isinstance(inner, Visit) and inner is not visit:
            yield from within(inner)
