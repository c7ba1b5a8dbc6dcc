"""UMAP and t-SNE: layouts that keep neighbours together and distances not.

Both begin at the principal plane, so that the coarse arrangement is that of the PCA beside
them, and both are reproducible bit for bit from points, parameters and seed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.measures.compiled import load_umap
from core.measures.neighbours import nearest

Progress = Callable[[float, str], None]
Array = NDArray[np.float32]

# numba's fallback threading layer ends the process when two threads are in it at once
_one_at_a_time = Lock()


@dataclass(frozen=True, eq=False)
class UmapLayout:
    """A fitted UMAP.

    Attributes:
        points: (N, D) it was fitted on.
        coordinates: float32 (N, 2).
        k: neighbours, the point itself among them.
        metric: distance in the original space.
        model: umap's own object.
    """

    points: Tensor
    coordinates: Tensor
    k: int
    metric: str
    model: Any

    def place(self, points: Tensor) -> Tensor:
        """Coordinates float32 (M, 2) of further points; the fitted ones stay where they are."""
        found, lengths = nearest(self.points, self.k, queries=points, metric=self.metric)
        graph = _graph(found, lengths, len(self.points))
        with _one_at_a_time:
            _quiet()
            return torch.from_numpy(np.asarray(self.model.transform(graph), np.float32))


def fit_umap(
    points: Tensor,
    start: Tensor,
    seed: int,
    neighbours: int,
    min_dist: float,
    metric: str,
    progress: Progress | None = None,
) -> UmapLayout:
    """UMAP (McInnes, Healy & Melville 2018, arXiv 1802.03426) on exact neighbours.

    umap is handed the neighbour graph instead of the points: its own search is approximate
    above 4,096 points and compiles for most of a minute in every process.

    Args:
        points: finite (N, D), N ≥ 5.
        start: (N, 2) coordinates to begin from.
        neighbours: of each point, itself included; brought below N.
        progress: called with the share done and what is being done.
    """
    tell = progress or (lambda share, what: None)
    umap = load_umap()
    n = len(points)
    k = max(2, min(neighbours, n - 1))
    found, lengths = nearest(
        points, k - 1, metric=metric, progress=lambda share: tell(0.3 * share, "neighbours")
    )
    itself = torch.arange(n)[:, None]
    graph = _symmetric(torch.cat([itself, found], 1), torch.cat([torch.zeros(n, 1), lengths], 1), n)
    bar: dict[str, Any] = {"disable": True}
    if progress is not None:
        bar = {
            "disable": False,
            "file": _Listener(lambda share: tell(0.3 + 0.7 * share, "layout")),
            "bar_format": "{n_fmt}/{total_fmt}",
            "mininterval": 0.1,
        }
    model = umap.UMAP(
        n_neighbors=k,
        min_dist=min_dist,
        metric="precomputed",
        init=_jittered(start, seed),
        random_state=seed,
        transform_seed=seed,
        n_jobs=1,
        tqdm_kwds=bar,
    )
    with _one_at_a_time:
        _quiet()
        coordinates = torch.from_numpy(np.asarray(model.fit_transform(graph), np.float32))
    model.tqdm_kwds = {"disable": True}
    tell(1.0, "layout")
    return UmapLayout(points, coordinates, k, metric, model)


def fit_tsne(
    points: Tensor,
    start: Tensor,
    seed: int,
    perplexity: float,
    metric: str,
    progress: Progress | None = None,
) -> Tensor:
    """t-SNE (van der Maaten & Hinton 2008) as scikit-learn computes it: float32 (N, 2).

    Args:
        points: finite (N, D), N ≥ 5.
        start: (N, 2) coordinates to begin from, scaled as Kobak & Berens 2019 advise.
        perplexity: below N.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if progress is not None:
        progress(0.0, "layout")
    begin = _jittered(start, seed)
    begin = begin / begin[:, 0].std() * 1e-4
    model = TSNE(
        perplexity=perplexity, metric=metric, init=begin, learning_rate="auto", random_state=seed
    )
    # one thread: sums in one order, and no thousand waits for a core another program holds
    with threadpool_limits(limits=1, user_api="openmp"):
        coordinates = model.fit_transform(points.numpy())
    if progress is not None:
        progress(1.0, "layout")
    return torch.from_numpy(np.asarray(coordinates, np.float32))


def _jittered(start: Tensor, seed: int) -> Array:
    """Start coordinates with a trace of noise: equal points must be able to part, and a layout
    that begins on a line must be able to leave it."""
    coordinates = start.numpy().astype(np.float32)
    scale = float(np.abs(coordinates).max()) or 1.0
    noise = np.random.default_rng(seed).standard_normal(coordinates.shape)
    return (coordinates / scale + 1e-4 * noise).astype(np.float32)


def _graph(found: Tensor, lengths: Tensor, columns: int) -> Any:
    """Distances to neighbours (M, k) as a sparse matrix (M, columns)."""
    from scipy.sparse import csr_matrix

    rows, k = found.shape
    starts = np.arange(0, rows * k + 1, k)
    content = (lengths.numpy().ravel(), found.numpy().ravel(), starts)
    return csr_matrix(content, shape=(rows, columns))


def _symmetric(found: Tensor, lengths: Tensor, n: int) -> Any:
    """The same with every edge both ways, as umap wants it. A reverse edge is never shorter
    than the neighbours its row already has, so nobody's nearest change."""
    from scipy.sparse import csr_matrix

    k = found.shape[1]
    one = np.repeat(np.arange(n, dtype=np.int64), k)
    other = found.numpy().ravel()
    rows, columns = np.concatenate([one, other]), np.concatenate([other, one])
    values = np.tile(lengths.numpy().ravel(), 2)
    _, first = np.unique(rows * n + columns, return_index=True)
    return csr_matrix((values[first], (rows[first], columns[first])), shape=(n, n))


class _Listener:
    """The file a progress bar writes to: hands on what share it shows."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self.tell = tell

    def write(self, text: str) -> None:
        shown = re.search(r"(\d+)/(\d+)", text)
        if shown and int(shown[2]):
            self.tell(min(1.0, int(shown[1]) / int(shown[2])))

    def flush(self) -> None:
        pass


def _quiet() -> None:
    # umap warns that with given distances it cannot go back from the map to the space
    warnings.filterwarnings("ignore", category=UserWarning, module=r"umap\.umap_")
