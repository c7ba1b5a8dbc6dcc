"""What a study wrote down of the inside of one item's run; JSON, a file an item."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from core.errors import RecordError
from core.records.atomic import replacing
from core.study.rows import Row

VERSION = 1
"""Raised when a record would mean something else than before."""
FOLDER = "inside"
DIGITS = 5

Read = tuple[str, float]
"""A token's text, or a place's name, with its probability or weight."""


@dataclass(frozen=True, eq=False)
class Look:
    """The inside of one item's run on the item as it is.

    Attributes:
        key: of the item's base row; a look is read with the rows it belongs to alone.
        item, cluster, gold: of the item.
        layers: L of the model.
        picture: a small PNG as a data URL, "" where the run had none.
        grid: (rows, columns) of the picture's patches.
        over: (K, rows · columns) attention of each latent on each patch, mean over layers and
            heads; its sum is the share that falls on the picture.
        mass: “latents” or “answer” → group of keys → share of the attention a layer, (L,), mean
            over heads (and over the latents); “keys” → group → [share of the keys], which is
            what attention that chooses nothing would give.
        attended: a latent each, the keys it looks at most, best first.
        says: a latent each, the tokens the output layer reads in it as it was fed.
        near: a latent each, the vocabulary embeddings nearest to it, by cosine.
        deep: (L + 1, K) the likeliest token the output layer reads behind each layer.
        points: what single changes made of the run, see :mod:`core.study.inside.changing`;
            empty where none were asked for.
        influence: (K, K + 1) KL in nats, nan where there is no such pair: latent t changed,
            read after s latents.
        version: of the record.
    """

    key: str
    item: str
    cluster: str
    gold: str
    layers: int
    picture: str
    grid: tuple[int, int]
    over: tuple[tuple[float, ...], ...]
    mass: Mapping[str, Mapping[str, Sequence[float]]]
    attended: tuple[tuple[Read, ...], ...]
    says: tuple[tuple[Read, ...], ...]
    near: tuple[tuple[Read, ...], ...]
    deep: tuple[tuple[Read, ...], ...]
    points: tuple[Mapping[str, Any], ...] = ()
    influence: tuple[tuple[float, ...], ...] = ()
    version: int = VERSION

    @property
    def steps(self) -> int:
        """K."""
        return len(self.says)

    def of(self, series: str) -> list[Mapping[str, Any]]:
        """The points of one series."""
        return [point for point in self.points if point["series"] == series]


def write_look(folder: Path, place: int, look: Look) -> None:
    """Write one item's record in one piece.

    Raises:
        RecordError: it cannot be written.
    """
    path = folder / FOLDER / f"{place}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            said = json.dumps(_plain(asdict(look)), ensure_ascii=False, allow_nan=False)
            file.write(said.encode("utf-8"))
    except OSError as error:
        raise RecordError(
            f"What is inside the runs cannot be written to {folder} ({error.strerror or error}): "
            "see to that and run the study again; finished rows are kept."
        ) from error


def read_look(folder: Path, place: int) -> Look | None:
    """One item's record; None where there is none that can be read."""
    try:
        said = json.loads((folder / FOLDER / f"{place}.json").read_bytes())
        if said["version"] != VERSION:
            return None
        return Look(**{one.name: _frozen(said[one.name]) for one in fields(Look)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def looks_of(folder: str | Path, rows: Sequence[Row]) -> list[Look]:
    """The records that belong to these base rows, in the order of the items."""
    paths = (Path(folder) / FOLDER).glob("*.json")
    places = sorted(int(path.stem) for path in paths if path.stem.isdigit())
    keys = {row["key"] for row in rows}
    found = (read_look(Path(folder), place) for place in places)
    return [look for look in found if look is not None and look.key in keys]


def _plain(value: Any) -> Any:
    """JSON values, rounded; NaN is null."""
    if isinstance(value, float):
        return round(value, DIGITS) if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def _frozen(value: Any) -> Any:
    """Lists as tuples, null among numbers as NaN."""
    if isinstance(value, list):
        return tuple(float("nan") if one is None else _frozen(one) for one in value)
    if isinstance(value, dict):
        return {name: float("nan") if one is None else _frozen(one) for name, one in value.items()}
    return value
