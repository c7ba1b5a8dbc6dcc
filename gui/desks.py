"""Every control leads to the desk of the model its visitor is with; afterwards it is kept."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

from gui.handlers import Handlers
from gui.sessions import wait_for_runs

if TYPE_CHECKING:
    from gui.sessions import Sessions
    from gui.shelf import Shelf
    from gui.studio import Studio
    from gui.visitors import Visits
    from gui.workshop import Workshop

WITHOUT_VISITOR = ("on_kind",)  # what is the same for everybody
LOOKING = ("on_pick", "on_look", "on_method")  # what changes nothing that is worth keeping
MADE = ("quick",)  # these make a handler


class Desks:
    """Has the methods of :class:`~gui.handlers.Handlers`, for all models.

    Args:
        page: the Studio's widgets.
        shelf: the models.
        visits: what visitors have on their screens.
        sessions: where visits are kept.
    """

    def __init__(self, page: Studio, shelf: Shelf, visits: Visits, sessions: Sessions) -> None:
        self.page, self.shelf, self.visits, self.sessions = page, shelf, visits, sessions
        self._desks: dict[Workshop, Handlers] = {}

    def at(self, workshop: Workshop) -> Handlers:
        """The desk of one model."""
        if workshop not in self._desks:
            known = {*self.shelf.loaded().values(), self.shelf.first}
            self._desks = {w: d for w, d in self._desks.items() if w in known}
            self._desks[workshop] = Handlers(self.page, workshop, self.visits)
        return self._desks[workshop]

    def of(self, key: str | None) -> Handlers:
        """The desk a visitor is at."""
        visit = self.visits.get(key)
        if visit is not None:
            wait_for_runs(visit)
        return self.at(self.shelf.of(visit.model if visit else ""))

    def __getattr__(self, name: str) -> Any:
        first = self.at(self.shelf.first)
        example = getattr(first, name)
        if name in WITHOUT_VISITOR:
            return example
        if name in MADE:
            return lambda *made: self._routed(
                lambda desk: getattr(desk, name)(*made), example(*made)
            )
        return self._routed(lambda desk: getattr(desk, name), example, name not in LOOKING)

    def _routed(
        self,
        find: Callable[[Handlers], Callable[..., Any]],
        example: Callable[..., Any],
        keep: bool = True,
    ) -> Callable[..., Any]:
        """A handler like ``example`` that first finds its desk by the visitor's key."""
        if inspect.isgeneratorfunction(example):

            def does(key: str, *rest: Any) -> Any:
                try:
                    yield from find(self.of(key))(key, *rest)
                finally:
                    if keep:
                        self.sessions.autosave.touch(key)

        else:

            def does(key: str, *rest: Any) -> Any:
                try:
                    return find(self.of(key))(key, *rest)
                finally:
                    if keep:
                        self.sessions.autosave.touch(key)

        return update_wrapper(does, example)
