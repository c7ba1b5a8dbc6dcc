"""The one-click edits for any model: of its latents, or of the sentence it imagines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gui.acts import GuiError
from gui.panel import QUICK, other_example
from gui.wording import sentence

if TYPE_CHECKING:
    from core.records import Edit
    from gui.panel import Panel
    from gui.visits import Visit
    from gui.workshop import Workshop


def one_click(name: str, visit: Visit, workshop: Workshop, panel: Panel) -> tuple[Edit, str]:
    """The edit of a whole imagination, and the title of its branch.

    Args:
        name: key of :data:`gui.panel.QUICK`.
        visit: its baseline is edited; its example chooses the donor.

    Raises:
        GuiError: when this model has nothing of the kind.
    """
    family = workshop.engine.family
    label = QUICK[name][2]
    if visit.baseline is None:
        raise GuiError("Run a question first; then there is something to edit.")
    if family.imagines_in_words and name == "swap":
        index = other_example(visit, workshop)
        if index is None:
            raise GuiError("There is no other example to take a sentence from.")
        text = sentence(workshop.example(index))
        if not text:
            raise GuiError(f"Example {index + 1} was answered without a sentence to take over.")
        return rewrite(text), f"Sentence of example {index + 1}"
    if not family.latent:
        what = "imagines in words" if family.imagines_in_words else "does not imagine"
        raise GuiError(f"“{label}” is an edit of latents, and this model {what}.")
    if not visit.baseline.spans:
        raise GuiError("The model answered without imagining, so there is nothing to edit.")
    run, span = visit.baseline, visit.span
    return panel.quick_edit(name, visit, workshop, "propagate", 0, run, span)


def rewrite(text: str) -> Edit:
    """The edit that puts a sentence in the place of the imagined one."""
    from core.records import Edit

    return Edit("text", text=text)
