"""An intervention on what the model imagines, as a value that can be stored and replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from core.errors import EditError

if TYPE_CHECKING:
    from core.records.trace import Trace

MODES = ("propagate", "pinned", "cached")
PARTS = ("both", "keys", "values")
_LARGEST = 1e30
_NUMBER, _NONE = (int, float), type(None)
_PLAIN: dict[str, tuple[type, ...]] = {
    "kind": (str,), "span": (int,), "seed": (int,), "renorm": (bool,), "dose": (*_NUMBER, _NONE),
    "angle": (*_NUMBER, _NONE), "fraction": (*_NUMBER, _NONE), "count": (int, _NONE),
    "token": (str, int, _NONE), "text": (str, _NONE), "source": (str, _NONE),
    "target": (str, _NONE), "donor_id": (str, _NONE),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Edit:
    """One edit of one latent span.

    What a kind does is told in :mod:`core.edits`; here is what can be said about it. Steps
    count from 0 and index ``trace.spans[span].latents``.

    Attributes:
        kind: the edit's name, e.g. ``"gaussian"``; ``core.edits.kinds()`` lists them.
        steps: which latents; None means all of the span.
        span: which span of the trace.
        mode: what becomes of later steps. ``"propagate"``: recomputed (total effect);
            ``"pinned"``: their inputs are held at the base values, keys and values
            recomputed; ``"cached"``: keys and values held too, only the answer sees the edit.
        seed: seeds the edit's own noise.
        dose: relative strength ε in units of ‖z‖ (Gaussian), 0 or more.
        angle: rotation in degrees.
        fraction: 0–1, how far toward the donor (slerp).
        renorm: bring the edited vector back to the length of the one it replaces.
        order: a permutation of the edited steps; None draws one from ``seed``.
        count: number of latents (truncate, extend).
        token: a vocabulary token, as text or id (token embedding, filler).
        patch: (row, column) of the merged image-patch grid.
        text: replacement for the imagined text of a model that imagines in words.
        layers: (first, stop) layer window of a slot edit; None means all layers.
        part: what a slot edit moves: ``"both"``, ``"keys"`` or ``"values"``.
        source, target: who no longer looks (``"answer"`` or ``"latents"``) at whom
            (``"latents"``, ``"image"`` or ``"question"``) in a knockout.
        values: float32 (D,) or (n, D), vectors to put in by hand.
        donor: float32 (K, D), latents of another run. A :class:`Trace` may be given; its
            latents are taken and its id kept in ``donor_id``.
        donor_id: id of the trace the donor latents came from.
        places: slots of the prompt that a sham edits, counted from its first; None draws them.
    """

    kind: str
    steps: Sequence[int] | None = None
    span: int = 0
    mode: str = "propagate"
    seed: int = 0
    dose: float | None = None
    angle: float | None = None
    fraction: float | None = None
    renorm: bool = False
    order: Sequence[int] | None = None
    count: int | None = None
    token: str | int | None = None
    patch: Sequence[int] | None = None
    text: str | None = None
    layers: Sequence[int] | None = None
    part: str = "both"
    source: str | None = None
    target: str | None = None
    values: Tensor | Sequence[Any] | None = None
    donor: Tensor | Trace | None = None
    donor_id: str | None = None
    places: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise EditError(f"Mode “{self.mode}” is unknown; choose {', '.join(MODES)}.")
        if self.part not in PARTS:
            raise EditError(f"A slot edit moves {', '.join(PARTS)}; not “{self.part}”.")
        for name, kinds in _PLAIN.items():
            if isinstance(getattr(self, name), np.generic):  # a number out of an array
                object.__setattr__(self, name, getattr(self, name).item())
            if not isinstance(getattr(self, name), kinds):
                raise EditError(f"{name.capitalize()} cannot be {_shown(getattr(self, name))}.")
        for name in ("dose", "angle", "fraction"):
            value = getattr(self, name)
            if value is not None and not abs(value) <= _LARGEST:
                raise EditError(
                    f"{name.capitalize()} must be a number of at most {_LARGEST:g}; "
                    f"{value} is none."
                )
        if not -(2**63) <= self.seed < 2**64:
            raise EditError("A seed is a whole number of at most 64 bits.")
        for name in ("steps", "order", "patch", "layers", "places"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _whole(name, value))
        spans = getattr(self.donor, "spans", None)
        if spans is not None:
            if self.span >= len(spans):
                raise EditError(
                    f"The donor run has {len(spans)} latent span(s), so span {self.span + 1} "
                    "cannot be taken from it; choose a donor that imagined."
                )
            object.__setattr__(self, "donor_id", getattr(self.donor, "id", None))
            object.__setattr__(self, "donor", spans[self.span].latents)
        for name in ("values", "donor"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _vectors(name, value))

    def plain(self) -> dict[str, Any]:
        """Every field that is not a tensor and not at its default, for JSON."""
        out: dict[str, Any] = {"kind": self.kind}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor) or field.name == "kind" or value == field.default:
                continue
            out[field.name] = list(value) if isinstance(value, tuple) else value
        return out


def _shown(value: Any) -> str:
    return f"{str(value)[:60]!r}"


def _whole(name: str, values: Any) -> tuple[int, ...]:
    try:
        return tuple(int(v) for v in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise EditError(f"{name.capitalize()} must be a list of whole numbers.") from error


def _vectors(name: str, value: Any) -> Tensor:
    try:
        vector = torch.as_tensor(value).detach().to("cpu", torch.float32)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise EditError(f"{name.capitalize()} must be numbers, one vector or a table.") from error
    if vector.ndim not in (1, 2):
        raise EditError(f"{name.capitalize()} must be one vector or a table of vectors.")
    return vector.contiguous()
