"""The edit panel: which fields an edit kind needs, and the edit they make."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gui.steps import parse_steps

if TYPE_CHECKING:
    from core.records import Edit, Trace

BY_HAND = ("manual", "picture")  # kinds that need vectors, which the panel has no field for
PLACE = re.compile(r"\s*(\d{1,4})\s*[,; ]\s*(\d{1,4})\s*")
WITHOUT_TEXT = ("filler",)  # kinds whose token may be left out: the pad stands for it
DOSE, ANGLE, FRACTION, COUNT = "dose", "angle", "fraction", "count"


@dataclass(frozen=True)
class Strength:
    """The one slider of a kind: the edit's field it fills, its label, range and start."""

    parameter: str
    label: str
    low: float
    high: float
    step: float
    start: float


STRENGTHS = {
    DOSE: Strength(DOSE, "Dose ε, in ‖z‖", 0, 4, 0.05, 1),
    ANGLE: Strength(ANGLE, "Angle in degrees", 0, 180, 5, 90),
    FRACTION: Strength(FRACTION, "How far toward the donor", 0, 1, 0.05, 1),
    COUNT: Strength(COUNT, "Number of latents", 1, 32, 1, 1),
}
LONGER = 12  # latents that an extended span starts from in the form

# Who no longer looks at what, as a person reads it → source and target of the edit.
EDGES = {
    f"{source} → {target}": f"{source} {target}"
    for source in ("answer", "latents")
    for target in ("latents", "image", "question")
}


@dataclass(frozen=True)
class Form:
    """Fields of one kind.

    Attributes:
        strength: the slider, or None.
        donor: another run is asked for.
        text: label of a text field (token, sentence or place), "" for none.
        patch: the text field names a place of the picture.
        edge: it is asked who no longer looks at what.
    """

    strength: Strength | None = None
    donor: bool = False
    text: str = ""
    patch: bool = False
    edge: bool = False


def form(kind: Any) -> Form:
    """The fields of an edit kind (``core.edits.Kind``)."""
    strength = next((STRENGTHS[p] for p in kind.parameters if p in STRENGTHS), None)
    if strength is not None and kind.name == "extend":
        strength = replace(strength, start=LONGER)
    text = ""
    if "text" in kind.parameters:
        text = "Imagined text"
    elif "token" in kind.parameters:
        text = "Token"
    elif "patch" in kind.parameters:
        text = "Row, column"
    edge = "source" in kind.parameters
    return Form(strength, "donor" in kind.needs, text, "patch" in kind.parameters, edge)


def usable(kind: Any, family: Any, bank: bool) -> bool:
    """Whether the panel can offer a kind for this model.

    Args:
        family: the engine's family.
        bank: whether the engine has a bank of clean latents.
    """
    if kind.name in BY_HAND or ("bank" in kind.needs and not bank):
        return False
    if "text" in kind.parameters:
        return bool(family.imagines_in_words)
    return bool(family.latent)


def make_edit(
    kind: Any,
    trace: Trace,
    steps: str,
    span: int = 0,
    mode: str = "propagate",
    strength: float | None = None,
    seed: int = 0,
    donor: Trace | None = None,
    text: str = "",
    patch: tuple[int, int] | None = None,
    edge: str = "",
) -> Edit:
    """The edit a filled form stands for.

    Raises:
        gui.steps.StepsError: when ``steps`` names none of the run's latents.
        core.errors.EditError: when a field is missing or does not fit.
    """
    from core.errors import EditError
    from core.records import Edit

    count = len(trace.spans[span]) if span < len(trace.spans) else 0
    fields = form(kind)
    values: dict[str, Any] = {}
    if fields.strength is not None and strength is not None:
        name = fields.strength.parameter
        values[name] = int(strength) if name == COUNT else float(strength)
    if fields.donor:
        if donor is None:
            raise EditError(f"{kind.title} needs a donor; choose the run to take latents from.")
        values["donor"] = donor
    if fields.patch:
        match = PLACE.fullmatch(text or "")
        if patch is None and match is None:
            raise EditError("Write the place as row, column, or click it on the picture.")
        values["patch"] = patch or (int(match[1]) - 1, int(match[2]) - 1)
    elif fields.text and text.strip():
        values["text" if "text" in kind.parameters else "token"] = text
    elif fields.text and kind.name not in WITHOUT_TEXT:
        raise EditError(f"{kind.title} needs a {fields.text.lower()}; type one.")
    if fields.edge and edge in EDGES.values():
        values["source"], values["target"] = edge.split(" ")
    chosen = parse_steps(steps, count) if count else None
    return Edit(kind.name, steps=chosen, span=span, mode=mode, seed=int(seed), **values)
