"""A hand on the latent that waits: what is fed in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gui.acts import GuiError
from gui.asking import INSTEAD
from gui.pointing import can_point

if TYPE_CHECKING:
    from core.records import Edit
    from gui.asking import Pending
    from gui.visits import Visit
    from gui.workshop import Workshop


def feed_instead(
    visit: Visit, workshop: Workshop, name: str, patch: tuple[int, int] | None = None
) -> None:
    """Choose what is fed in place of the pending latent.

    Args:
        name: key of :data:`INSTEAD`, or ``"patch"`` with the (row, column) of one.

    Raises:
        GuiError: when nothing waits, or the choice is not there.
    """
    import numpy as np

    waiting = _waiting(visit)
    natural = waiting.natural
    vector: Any = natural
    mark = INSTEAD.get(name, "")
    if name == "zero":
        vector = np.zeros_like(natural)
    elif name == "noise":
        noise = np.random.default_rng(waiting.step.index).standard_normal(natural.shape)
        length = np.linalg.norm(natural) / max(float(np.linalg.norm(noise)), 1e-9)
        vector = (natural + noise * length).astype(natural.dtype)
    elif name == "previous":
        vector = waiting.watch.before(waiting.step.span)
    elif name == "patch" and patch is not None and can_point(visit):
        rows, columns = visit.baseline.prompt.grid if visit.baseline else (0, 0)
        inside = 0 <= patch[0] < rows and 0 <= patch[1] < columns
        vector = visit.patches[patch[0] * columns + patch[1]].numpy() if inside else None
        mark = f"row {patch[0] + 1}, column {patch[1] + 1}"
    if vector is None or not mark:
        raise GuiError("That cannot be fed here.")
    _put(waiting, None if name == "natural" else vector, name, mark)


def feed_edit(visit: Visit, workshop: Workshop, edit: Edit, mark: str) -> None:
    """Feed what an edit makes of the pending latent; it is made in this one step.

    Args:
        edit: of the panel; a place of the picture, or any edit of what is fed.
        mark: what stands on the cell.

    Raises:
        GuiError: when nothing waits. core.errors.EditError: the edit needs a finished run.
    """
    import numpy as np
    import torch

    from core.edits.waiting import change_waiting

    waiting = _waiting(visit)
    if edit.kind == "patch" and edit.patch is not None:
        feed_instead(visit, workshop, "patch", (edit.patch[0], edit.patch[1]))
        return
    rows = [*waiting.watch.fed(waiting.step.span), waiting.natural]
    changed = change_waiting(workshop.engine, edit, torch.as_tensor(np.stack(rows)))
    _put(waiting, changed.numpy(), "edit", mark)


def _waiting(visit: Visit) -> Pending:
    waiting: Pending | None = visit.pending
    if waiting is None:
        raise GuiError("No latent is waiting; press Step first.")
    return waiting


def _put(waiting: Pending, vector: Any, chosen: str, mark: str) -> None:
    """Choose what is fed; None is what the model imagined."""
    waiting.vector, waiting.chosen = vector, chosen
    shown = waiting.natural if vector is None else vector
    waiting.watch.put(waiting.step.span, shown, "" if vector is None else mark)
