"""Short addresses: ``?ex=3&edit=zero`` opens an example with a one-click edit already done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from gui.panel import QUICK

if TYPE_CHECKING:
    from core.records import Edit
    from gui.visits import Visit

ASKED = ("ex", "edit", "model")  # what of an address names a screen


def example_of(query: Mapping[str, str], count: int) -> int | None:
    """Index of the example an address asks for (``?ex=3``, counted from 1); None without any."""
    if not count:
        return None
    asked = query.get("ex", "")
    return min(max(int(asked), 1), count) - 1 if asked.isdecimal() and len(asked) < 6 else 0


def named(query: Mapping[str, str]) -> str:
    """The part of an address that names a screen, in one form; "" when it names none."""
    return urlencode([(name, query[name]) for name in ASKED if query.get(name)])


def edit_of(query: Mapping[str, str]) -> str:
    """The one-click edit an address asks for; "" for none."""
    asked = query.get("edit", "")
    return asked if asked in QUICK else ""


def link(visit: Visit, first_model: str) -> str:
    """The query string that opens what is on the screen.

    Args:
        first_model: name of the model the page opens with.

    Raises:
        gui.acts.GuiError: when it is not an example with at most a one-click edit.
    """
    from gui.acts import GuiError

    base, edited = visit.baseline, visit.edited
    if visit.example is None or base is None:
        raise GuiError(
            "Short links lead to the built-in examples; save the session to share your own picture."
        )
    parts = {"ex": str(visit.example + 1)}
    if edited is not None:
        name = quick_name(edited.edits) if edited.parent == base.id else ""
        if not name:
            raise GuiError(
                "Short links hold an example with a one-click edit; save the session to share this."
            )
        parts["edit"] = name
    if visit.model and visit.model != first_model:
        parts["model"] = visit.model
    return "?" + urlencode(parts)


def quick_name(edits: tuple[Edit, ...]) -> str:
    """The one-click edit a branch was made with; "" for any other."""
    if len(edits) != 1:
        return ""
    edit = edits[0]
    if edit.steps is not None or edit.mode != "propagate" or edit.seed or edit.span:
        return ""
    return next(
        (n for n, (kinds, dose, _) in QUICK.items() if edit.kind in kinds and edit.dose == dose), ""
    )
