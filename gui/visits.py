"""What one visitor has on the screen, kept on the server under a key nobody can guess.

What a visitor leaves is let go of everywhere: a run that is on no visitor's list any more, nor
the ancestor of one that is, is forgotten by the engine that holds its cache.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
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


class Visits:
    """All visitors' tabs, bounded; the longest idle goes first.

    Args:
        most: visitors kept at once; None takes the bounds' number.
        bounds: what each visitor may ask for.
    """

    def __init__(self, most: int | None = None, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._most = self.bounds.visitors if most is None else most
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self._sessions: dict[str, str] = {}
        self._lock = threading.Lock()
        self.when_gone: Callable[[str], None] = lambda key: None  # told of each forgotten key
        self.model: Callable[[str], Workshop] | None = None  # the workshop of a model's name

    def __len__(self) -> int:
        return len(self._visits)

    def open(self, session: str | None = None) -> tuple[str, Visit]:
        """A new visit and its key; ``session`` is the browser tab's, to free it by."""
        self.expire()
        key, visit = secrets.token_urlsafe(24), Visit(bounds=self.bounds)
        gone = []
        with self._lock:
            self._visits[key] = visit
            if session:
                self._sessions[session] = key
            while len(self._visits) > self._most:
                gone.append(self._visits.popitem(last=False))
        self._forget(gone)
        return key, visit

    def models(self) -> set[str]:
        """Names of the models that visitors' runs belong to."""
        with self._lock:
            return {inner.model for visit in self._visits.values() for inner in within(visit)}

    def get(self, key: str | None) -> Visit | None:
        """The visit of ``key``; None when it was forgotten."""
        with self._lock:
            visit = self._visits.get(key or "")
            if visit is not None:
                visit.seen = time.monotonic()
                self._visits.move_to_end(key or "")
            return visit

    def close(self, session: str | None) -> str | None:
        """Free what belongs to a tab that was closed; the key it had."""
        with self._lock:
            key = self._sessions.pop(session or "", None)
            visit = self._visits.pop(key or "", None)
        if key is not None and visit is not None:
            self._forget([(key, visit)])
        return key

    def expire(self) -> int:
        """Forget visitors who did nothing for longer than the bounds allow; how many."""
        if not self.bounds.idle:
            return 0
        oldest = time.monotonic() - 60 * self.bounds.idle
        with self._lock:
            still = [k for k, v in self._visits.items() if v.seen < oldest and not v.going]
            gone = [(key, self._visits.pop(key)) for key in still]
        self._forget(gone)
        return len(gone)

    def settle(self, visit: Visit) -> None:
        """Bring what engines hold into line with what the visit still lists, after a change."""
        if self.model is None:
            return
        listed = _listed(visit, self.model)
        with self._lock:
            now = {} if visit.left else listed
            lost = {id: at for id, at in {**visit.held, **listed}.items() if id not in now}
            visit.held = now
            kept = set(now).union(*(v.held for v in self._visits.values())) if lost else set()
        for shop in set(lost.values()):
            needed = shop.let_go({id for id, at in lost.items() if at is shop}, kept)
            visit.held |= dict.fromkeys(needed, shop)

    def _forget(self, gone: list[tuple[str, Visit]]) -> None:
        keys = {key for key, _ in gone}
        with self._lock:
            self._sessions = {s: k for s, k in self._sessions.items() if k not in keys}
        for key, visit in gone:
            visit.left = True
            for inner in within(visit):
                inner.cancel.set()
                inner.pending = None
            self.when_gone(key)
            self.settle(visit)


def _listed(visit: Visit, model: Callable[[str], Workshop]) -> dict[str, Workshop]:
    found: dict[str, Workshop] = {}
    for inner in within(visit):
        shop = model(inner.model)
        found |= dict.fromkeys(inner.branches, shop)
    return found
