"""All visitors' tabs, kept on the server under keys nobody can guess.

What a visitor leaves is let go of everywhere: a run that is on no visitor's list any more, nor
the ancestor of one that is, is forgotten by the engine that holds its cache.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gui.bounds import Bounds
from gui.visits import Visit, within

if TYPE_CHECKING:
    from gui.workshop import Workshop


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

    def stop_all(self) -> None:
        """Stop whatever is at work for any visitor, within one step of the model."""
        for thing in self._things():
            cancel, stop = getattr(thing, "cancel", None), getattr(thing, "stop", None)
            if isinstance(cancel, threading.Event):
                cancel.set()
            if callable(stop):
                stop()

    def at_work(self) -> bool:
        """Whether anything is being done for a visitor."""
        return any(
            getattr(thing, "going", False) is True or getattr(thing, "alive", False) is True
            for thing in self._things()
        )

    def _things(self) -> list[Any]:
        """All visits, and what parts of the page keep beside them: a sweep, a study."""
        with self._lock:
            visits = list(self._visits.values())
        inner = [each for visit in visits for each in within(visit)]
        return inner + [thing for each in inner for thing in list(each.beside.values())]

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
