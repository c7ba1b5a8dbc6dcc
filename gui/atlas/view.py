"""Who looks at the Atlas, what they have chosen there, and whether their model is ready."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from gui.cloud import Cloud
from gui.mapping import JOINT, Maps

if TYPE_CHECKING:
    from core.measures.projection import Projection
    from gui.desks import Desks
    from gui.visits import Visit
    from gui.workshop import Workshop

LOOK = 0.4  # seconds between two looks at a model, a fit or a bank that is under way
ARRIVING = 5.0  # seconds a first run is waited for
WITHIN, BETWEEN = "within", "between"


@dataclass
class View:
    """What one visitor has chosen here.

    Attributes:
        marked: (item, step) of the bank's selected latents.
        maps: finished maps and the one on its way.
        cloud, parts: what is on the map now.
    """

    method: str = "pca"
    by: str = "step"
    placed: str = JOINT
    beside: tuple[str, ...] = ()
    matrix: str = WITHIN
    kind: str = "raw"
    marked: list[tuple[str, int]] = field(default_factory=list)
    maps: Maps = field(default_factory=Maps)
    cloud: Cloud = field(default_factory=Cloud)
    parts: list[Projection] = field(default_factory=list)

    @property
    def items(self) -> set[str]:
        """Items of the bank of which a latent is selected."""
        return {item for item, _ in self.marked}


class Seen(NamedTuple):
    """A visitor, the workshop of their model, and their view of it."""

    visit: Visit
    workshop: Workshop
    view: View


class Visitors:
    """Finds the visitor of a page by its key."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    def at(self, key: str | None) -> Seen | None:
        """The visitor as they are now; None when they are gone."""
        visit = self._desks.visits.get(key)
        if visit is None:
            return None
        view = visit.beside.setdefault("atlas", View())
        return Seen(visit, self._desks.shelf.of(visit.model), view)

    def now(self, key: str | None) -> Seen | None:
        """The same; None also while their model is not ready."""
        found = self.at(key)
        return found if found is not None and found.workshop.ready else None

    def ready(self, key: str | None) -> Seen | None:
        """Once the model is there, however early the tab was opened; None when it never will be."""
        found = self.at(key)
        while found is not None and not found.workshop.done.wait(LOOK):
            found = self.at(key)
        # a page that was just opened gets its first run a moment after the model
        until = time.monotonic() + ARRIVING
        while found is not None and found.visit.baseline is None and time.monotonic() < until:
            time.sleep(0.1)
            found = self.at(key)
        return found if found is not None and found.workshop.ready else None
