"""One latent read in every way there is: what it says, where it looks, what it is like.

A reading is plain numbers and words, kept with the visit and saved with its session, so that
recorded runs can be looked into without their model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gui.visits import Visit

KEPT = 256  # readings kept for one visit

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Reading:
    """What can be read off one latent; empty where something cannot be known.

    Attributes:
        norm: ‖z‖.
        norm_share: share (0–100) of the bank's latents of this step that are shorter.
        percentile: share (0–100) of them that are nearer to the step's mean.
        cosine: to the step before; change: ‖z′−z‖/‖z‖ against the baseline.
        says: (word, probability) the output layer reads in what was fed.
        near: (word, cosine) of the nearest vocabulary embeddings.
        layers: (word, probability) read behind each layer, row 0 at the input.
        patches: (row, column, cosine) of the nearest image patches.
        bank: (item in words, step from 1, cosine) of the nearest latents in the bank.
        grid: rows and columns of the picture's patches.
        looks: attention on each patch, row by row, mean over layers and heads.
        depth: numbers of layers and heads there are to choose from.
        shares: (group, attention) on picture, question, latents and words; they sum to 1.
        read: attention of the answer's words on every latent of the run, in order.
        problem: why the model could not be asked, in one sentence.
    """

    norm: float = 0.0
    norm_share: float | None = None
    percentile: float | None = None
    cosine: float | None = None
    change: float | None = None
    says: tuple[Row, ...] = ()
    near: tuple[Row, ...] = ()
    layers: tuple[tuple[Row, ...], ...] = ()
    patches: tuple[Row, ...] = ()
    bank: tuple[Row, ...] = ()
    grid: tuple[int, int] = (0, 0)
    looks: tuple[float, ...] = ()
    depth: tuple[int, int] = (0, 0)
    shares: tuple[Row, ...] = ()
    read: tuple[float, ...] = ()
    problem: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {name: _listed(value) for name, value in asdict(self).items()}


def _listed(value: Any) -> Any:
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


def reading_of(plain: Any) -> Reading | None:
    """A reading out of a stranger's JSON; None when it is none."""
    try:
        values = {f.name: plain[f.name] for f in fields(Reading) if f.name in plain}
        made = Reading(
            **{
                **{n: finite(values.get(n)) for n in ("norm_share", "percentile", "cosine")},
                "norm": finite(values["norm"]) or 0.0,
                "change": finite(values.get("change")),
                **{n: _scored(values.get(n, ())) for n in ("says", "near", "shares")},
                "layers": tuple(_scored(row) for row in values.get("layers", ())[:256]),
                "patches": tuple(
                    (int(r[0]), int(r[1]), finite(r[2]) or 0.0)
                    for r in values.get("patches", ())[:32]
                ),
                "bank": tuple(
                    (str(r[0])[:120], int(r[1]), finite(r[2]) or 0.0)
                    for r in values.get("bank", ())[:32]
                ),
                "grid": _pair(values.get("grid", (0, 0))),
                "depth": _pair(values.get("depth", (0, 0))),
                **{n: _numbers(values.get(n, ())) for n in ("looks", "read")},
                "problem": str(values.get("problem", ""))[:400],
            }
        )
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return None
    return made if len(made.looks) in (0, made.grid[0] * made.grid[1]) else None


def finite(value: Any) -> float | None:
    """A number that is one; None for none, NaN and infinities."""
    return float(value) if value is not None and isfinite(float(value)) else None


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(finite(v) or 0.0 for v in values[:16384])


def _scored(rows: Any) -> tuple[Row, ...]:
    return tuple((str(r[0])[:80], finite(r[1]) or 0.0) for r in rows[:32])


def _pair(value: Any) -> tuple[int, int]:
    return min(max(int(value[0]), 0), 4096), min(max(int(value[1]), 0), 4096)


def readings(visit: Visit) -> dict[tuple[str, int, int], Reading]:
    """The visit's readings by (trace id, span, step)."""
    found: dict[tuple[str, int, int], Reading] = visit.beside.setdefault("readings", {})
    return found


def kept_readings(visit: Visit) -> Mapping[str, Any]:
    """The visit's readings as JSON, for its session file."""
    return {
        f"{trace}:{span}:{step}": made.plain()
        for (trace, span, step), made in readings(visit).items()
        if trace in visit.branches
    }


def take_readings(visit: Visit, plain: Any, names: Mapping[str, str]) -> None:
    """Readings out of a session file; ``names`` maps the runs' ids there to those here."""
    if not isinstance(plain, dict):
        return
    kept = readings(visit)
    for name, entry in list(plain.items())[:KEPT]:
        trace, _, rest = str(name).partition(":")
        span, _, step = rest.partition(":")
        made = reading_of(entry)
        if trace in names and made is not None and span.isdecimal() and step.isdecimal():
            kept[(names[trace], int(span), int(step))] = made
