"""What one visitor has on the screen, kept on the server under a key nobody can guess."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

    from core.records import Trace

VISITS = 128  # visitors kept at once; the one longest idle is forgotten first
BRANCHES = 256  # runs and branches kept for one visitor


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

    def begin(self, trace: Trace, title: str = "Baseline") -> None:
        """A fresh run: earlier branches belong to another question and go."""
        self.branches.clear()
        self.scores.clear()
        self.past.clear()
        self.future.clear()
        self.branches[trace.id] = Branch(trace, title)
        self.base = self.shown = trace.id
        self.span, self.steps = 0, ()

    def grow(self, trace: Trace, title: str, parent: str) -> None:
        """A branch of ``parent``, shown at once."""
        depth = self.branches[parent].depth + 1 if parent in self.branches else 1
        self.branches[trace.id] = Branch(trace, title, depth)
        while len(self.branches) > BRANCHES:
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


class Visits:
    """All visitors' tabs, bounded; the longest idle goes first."""

    def __init__(self, most: int = VISITS) -> None:
        self._most = most
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self._sessions: dict[str, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._visits)

    def open(self, session: str | None = None) -> tuple[str, Visit]:
        """A new visit and its key; ``session`` is the browser tab's, to free it by."""
        key, visit = secrets.token_urlsafe(24), Visit()
        with self._lock:
            self._visits[key] = visit
            if session:
                self._sessions[session] = key
            while len(self._visits) > self._most:
                old, idle = self._visits.popitem(last=False)
                idle.cancel.set()
                self._sessions = {s: k for s, k in self._sessions.items() if k != old}
        return key, visit

    def models(self) -> set[str]:
        """Names of the models that visitors' runs belong to."""
        with self._lock:
            return {visit.model for visit in self._visits.values()}

    def get(self, key: str | None) -> Visit | None:
        """The visit of ``key``; None when it was forgotten."""
        with self._lock:
            visit = self._visits.get(key or "")
            if visit is not None:
                self._visits.move_to_end(key or "")
            return visit

    def close(self, session: str | None) -> str | None:
        """Free what belongs to a tab that was closed; the key it had."""
        with self._lock:
            key = self._sessions.pop(session or "", None)
            visit = self._visits.pop(key or "", None)
        if visit is not None:
            visit.cancel.set()
        return key
