"""A latent that waits to be fed, changed by an edit: no run holds it yet.

In a step-wise decode a person may put another vector in the pending latent's place. What comes
after is always computed from it, so an edit's steps, span and mode are not read here; kinds that
need the finished run (a permutation, a shorter span, a cut edge) say so.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from core.edits.context import Context
from core.edits.kinds import get
from core.engine import Engine
from core.engine.store import Held
from core.errors import EditError
from core.records import Edit, Prompt, Settings, Span, Trace


class _Unfinished(Context):
    """What was fed so far, as edits see it; the width is read off the latents themselves."""

    @property
    def width(self) -> int:
        return int(self.trace.spans[0].latents.shape[1])


def change_waiting(engine: Engine, edit: Edit, latents: Tensor) -> Tensor:
    """The vector an edit puts in place of the latent that waits.

    Args:
        engine: the model that decodes.
        edit: a content edit.
        latents: float32 (k + 1, D), the span as fed so far, the waiting latent last.

    Returns:
        (D,) float32.

    Raises:
        EditError: the edit needs a finished run, or something that is not there.
    """
    kind = get(edit.kind)
    if kind.make is None or kind.name in ("permute", "patch"):
        raise EditError(f"“{kind.title}” needs a finished run; press Continue, then apply it.")
    step = latents.shape[0] - 1
    here = replace(edit, steps=(step,), span=0, mode="propagate")
    span = Span(0, latents, latents, "unfinished")
    run = Trace(Prompt(), "", "", Settings(), (), (), (), (span,), ())
    change = kind.make(here, _Unfinished(engine, Held(run, {}, 0, [], None)))
    natural = latents[step]
    fed = change(step, natural)
    if here.renorm and float(fed.norm()) > 0:
        fed = fed * (natural.norm() / fed.norm())
    if not bool(fed.isfinite().all()):
        raise EditError(f"“{kind.title}” would feed numbers that are not finite; choose less.")
    return fed
