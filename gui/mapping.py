"""Fits of the large map: at once or in a thread behind the page, and stopped when unwanted."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.measures.projection import Projection
    from gui.cloud import Cloud

KEPT = 12  # finished maps that are remembered for one visitor
JOINT, FROZEN = "joint", "frozen"


class Superseded(Exception):
    """Another map was asked for while this one was computed."""


class Fit:
    """One map being computed in its thread.

    Attributes:
        share, stage: how far it is, 0–1, and what is being done.
        done: set at the end; then ``parts`` or ``error`` is there.
        parts: what was fitted and, for a frozen fit, what was placed on it.
    """

    def __init__(self, cloud: Cloud, method: str, placed: str, seed: int = 0) -> None:
        self.share, self.stage = 0.0, "starting"
        self.parts: list[Projection] = []
        self.error: Exception | None = None
        self.done = threading.Event()
        self.began = time.monotonic()
        self._unwanted = threading.Event()
        self._work = (cloud, method, placed, seed)
        threading.Thread(target=self._run, name="map", daemon=True).start()

    def stop(self) -> None:
        """It is not wanted any more; it ends at its next sign of life."""
        self._unwanted.set()

    def _tell(self, share: float, stage: str) -> None:
        if self._unwanted.is_set():
            raise Superseded
        self.share, self.stage = share, stage

    def _run(self) -> None:
        try:
            self.parts = fit(*self._work, progress=self._tell)
        except Exception as error:  # told where the map was asked for
            self.error = error
        self.done.set()


def fit(
    cloud: Cloud, method: str, placed: str, seed: int = 0, progress: Any = None
) -> list[Projection]:
    """Project a cloud.

    Args:
        method: ``"pca"``, ``"umap"`` or ``"tsne"``.
        placed: ``"joint"``: all points in one fit; ``"frozen"``: the bank alone is fitted and
            everything else is placed by it.

    Returns:
        One projection of everything, or the fit and what was placed by it; both with their
        quality computed.

    Raises:
        core.errors.InputError: a frozen fit of t-SNE, which has none.
    """
    from core.measures.projection import place, project

    if placed == FROZEN and len(cloud.tables[0]):
        first = project(cloud.tables[0], method, seed, progress=progress)
        parts = [first, place(first, cloud.tables[1:])] if len(cloud.tables) > 1 else [first]
    else:
        parts = [project(cloud.tables, method, seed, progress=progress)]
    for part in parts:
        _ = part.quality
    return parts


def places(cloud: Cloud, parts: list[Projection]) -> list[Any]:
    """The coordinates (n, 2) of each group of a cloud, as lists with None for what has none."""
    import math

    tables = [table for part in parts for table in part.tables]
    return [
        [(x, y) if math.isfinite(x) and math.isfinite(y) else None for x, y in table.tolist()]
        for table in tables
    ]


class Maps:
    """A visitor's finished maps and the one on its way."""

    def __init__(self) -> None:
        self._finished: OrderedDict[Hashable, list[Projection]] = OrderedDict()
        self.fit: Fit | None = None

    def get(self, key: Hashable) -> list[Projection] | None:
        """A finished map."""
        return self._finished.get(key)

    def keep(self, key: Hashable, parts: list[Projection]) -> None:
        """Remember a map; the oldest goes."""
        self._finished[key] = parts
        while len(self._finished) > KEPT:
            self._finished.popitem(last=False)

    def begin(self, cloud: Cloud, method: str, placed: str) -> Fit:
        """A new fit; the one on its way is not wanted any more."""
        if self.fit is not None:
            self.fit.stop()
        self.fit = Fit(cloud, method, placed)
        return self.fit
