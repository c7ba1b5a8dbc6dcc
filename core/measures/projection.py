"""Latents on a map: PCA at once, UMAP and t-SNE behind it, and what the map can be believed.

Before and after an edit belong on one map. Either all points are fitted together (``joint``),
or the later ones are placed by a fit that no longer moves (``frozen``); which of the two it is
stands in :attr:`Projection.fit`, because with two separate fits an arrow from before to after
would be an artefact. Points without numbers (NaN) have no place and keep their row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from core.errors import InputError
from core.measures.manifold import Progress, UmapLayout, fit_tsne, fit_umap
from core.measures.map_quality import MapQuality, map_quality
from core.measures.neighbours import METRICS
from core.measures.pca import Axes, fit_axes, principal_components

METHODS = ("pca", "umap", "tsne")
TITLES = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
FEWEST = 5
"""Below this many points UMAP and t-SNE have nothing to arrange."""
TSNE_WIDTH = 50
"""t-SNE sees this many principal components (van der Maaten & Hinton 2008, section 4.2)."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Points on a map.

    Attributes:
        coordinates: float32 (N, 2), NaN for points without numbers.
        sizes: how many rows each of the tables that were given has.
        method: what drew it, one of :data:`METHODS`; not what was asked for when ``note`` says
            so.
        parameters: what was used, by name.
        seed: of everything random.
        fit: ``"joint fit of N points"`` or ``"frozen fit of N points, M placed by it"``.
        note: a sentence about what is out of the ordinary, or "".
        shares: share of the variance on each axis (PCA), or None.
        points: (N, D), what was placed.
        frame: the fit, for :func:`place`; None when there is none (t-SNE).
    """

    coordinates: Tensor
    sizes: tuple[int, ...]
    method: str
    parameters: Mapping[str, Any]
    seed: int
    fit: str
    note: str
    shares: tuple[float, float] | None
    points: Tensor = field(repr=False)
    frame: Axes | UmapLayout | None = field(repr=False)

    @property
    def tables(self) -> list[Tensor]:
        """The coordinates of each of the tables that were given, (n_i, 2)."""
        return list(self.coordinates.split(list(self.sizes)))

    @property
    def caption(self) -> str:
        """Method, fit, parameters and seed in a line, to stand on the figure."""
        settings = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                    for name, value in self.parameters.items()]  # fmt: skip
        return ", ".join([TITLES[self.method], self.fit, *settings, f"seed {self.seed}"])

    @cached_property
    def quality(self) -> MapQuality:
        """Trustworthiness and neighbour overlap; computed when first asked for."""
        return map_quality(self.points, self.coordinates, seed=self.seed)


def project(
    tables: Tensor | Sequence[Tensor],
    method: str = "pca",
    seed: int = 0,
    *,
    neighbours: int = 15,
    min_dist: float = 0.1,
    perplexity: float = 30.0,
    metric: str = "euclidean",
    progress: Progress | None = None,
) -> Projection:
    """One joint fit of all rows of all tables.

    Args:
        tables: (N, D), or several (n_i, D), e.g. latents before and after.
        method: ``"pca"``, ``"umap"`` or ``"tsne"``; fewer than 5 points are shown by PCA.
        seed: the same points, parameters and seed give the same map, bit for bit.
        neighbours, min_dist: of UMAP.
        perplexity: of t-SNE; brought to (N − 1) / 3 when that is less.
        metric: ``"euclidean"`` or ``"cosine"``, for UMAP and t-SNE.
        progress: called with the share done (0–1) and the stage; what it raises stops the fit.

    Raises:
        InputError: an unknown method or metric, or tables of different widths.
    """
    if method not in METHODS:
        raise InputError(f"Projection “{method}” is unknown; choose {', '.join(METHODS)}.")
    if metric not in METRICS:
        raise InputError(f"Distance “{metric}” is unknown; choose {' or '.join(METRICS)}.")
    points, sizes = _together(tables)
    kept, clean = _with_numbers(points)
    axes = fit_axes(clean, seed)
    start = axes.place(clean)
    n = len(clean)
    notes = _missing(len(points) - n)
    varied = axes.shares[0] > 0
    if n > 1 and not varied:
        notes.append(f"All {n} points are the same, so the map is one point.")
    if method != "pca" and (n < FEWEST or not varied):
        if n < FEWEST:
            notes.append(f"{n} points are too few for {TITLES[method]}: shown by PCA.")
        method = "pca"
    coordinates, frame, parameters = start, axes, {}  # type: Tensor, Any, dict[str, Any]
    if method == "umap":
        frame = fit_umap(clean, start, seed, neighbours, min_dist, metric, progress)
        coordinates = frame.coordinates
        parameters = {"n_neighbors": frame.k, "min_dist": min_dist, "metric": metric}
    elif method == "tsne":
        perplexity = min(perplexity, (n - 1) / 3)
        reduced = clean
        if metric == "euclidean" and min(clean.shape) > TSNE_WIDTH:
            reduced = principal_components(clean, TSNE_WIDTH, seed)
        coordinates = fit_tsne(reduced, start, seed, perplexity, metric, progress)
        frame = None
        parameters = {"perplexity": perplexity, "metric": metric}
    if progress is not None:
        progress(1.0, "done")
    return Projection(
        _spread(coordinates, kept),
        sizes,
        method,
        parameters,
        seed,
        f"joint fit of {n} points",
        " ".join(notes),
        axes.shares if method == "pca" else None,
        points,
        frame,
    )


def place(projection: Projection, tables: Tensor | Sequence[Tensor]) -> Projection:
    """Further points on a map that does not move.

    Returns:
        A projection of the further points alone; its ``fit`` says that they were placed.

    Raises:
        InputError: the method has no such transform (t-SNE), or the width is another.
    """
    if projection.frame is None:
        raise InputError(
            f"{TITLES[projection.method]} cannot place further points on a finished map; fit all "
            "points together, or choose PCA or UMAP."
        )
    points, sizes = _together(tables)
    width = projection.points.shape[1]
    if len(points) and points.shape[1] != width:
        raise InputError(
            f"The map was fitted on vectors of width {width}; these have {points.shape[1]}."
        )
    kept, clean = _with_numbers(points)
    coordinates = projection.frame.place(clean) if len(clean) else torch.zeros(0, 2)
    fitted = int(torch.isfinite(projection.coordinates).all(-1).sum())
    return Projection(
        _spread(coordinates, kept),
        sizes,
        projection.method,
        projection.parameters,
        projection.seed,
        f"frozen fit of {fitted} points, {len(clean)} placed by it",
        " ".join(_missing(len(points) - len(clean))),
        projection.shares,
        points,
        projection.frame,
    )


def _together(tables: Tensor | Sequence[Tensor]) -> tuple[Tensor, tuple[int, ...]]:
    parts = [tables] if isinstance(tables, Tensor) else list(tables)
    if any(part.ndim != 2 for part in parts):
        raise InputError("A map is made of tables of vectors, one row a point.")
    widths = {part.shape[1] for part in parts if len(part)}
    if len(widths) > 1:
        raise InputError(
            "Vectors of different widths "
            f"({', '.join(map(str, sorted(widths)))}) do not belong on one map."
        )
    sizes = tuple(len(part) for part in parts)
    filled = [part.detach().float() for part in parts if len(part)]
    return (
        torch.cat(filled) if len(filled) > 1 else filled[0] if filled else torch.zeros(0, 0)
    ), sizes


def _with_numbers(points: Tensor) -> tuple[Tensor, Tensor]:
    """Which rows of (N, D) hold finite numbers, bool (N,), and these rows."""
    if bool(torch.isfinite(points.sum())):  # a sum of anything not finite is not finite
        return torch.ones(len(points), dtype=torch.bool), points
    kept = torch.isfinite(points).all(-1)
    return kept, points[kept]


def _spread(coordinates: Tensor, kept: Tensor) -> Tensor:
    """Coordinates of the kept rows in the place of all rows, NaN elsewhere."""
    out = torch.full((len(kept), 2), float("nan"))
    out[kept] = coordinates
    return out


def _missing(count: int) -> list[str]:
    if not count:
        return []
    who = (
        "1 point holds no numbers (NaN) and has"
        if count == 1
        else (f"{count} points hold no numbers (NaN) and have")
    )
    return [f"{who} no place on the map."]
