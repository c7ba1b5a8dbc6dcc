"""Edge edits: knocking out who may look at whom, by layer window (methodology, locus L3).

The sharpest question about latents is asked here: does what follows the span read them at
all? With every edge from the answer to the latents cut, no edit of a latent can reach it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.edits.context import Context
from core.edits.kinds import Kind, register
from core.engine.knockout import Cut
from core.engine.plan import Plan, Prepared
from core.errors import EditError
from core.records import Edit, Receipt

SOURCES = ("answer", "latents")
TARGETS = ("latents", "image", "question")

register(
    Kind(
        "knockout",
        "Knock out attention",
        "Cuts the edges from the answer (or the latents) to the latents, the picture or the "
        "question.",
        "edge",
        ("source", "target", "layers"),
    )
)


def prepare(edit: Edit, context: Context) -> Prepared:
    """The plan of one knockout.

    Raises:
        EditError: unknown groups, an empty layer window, or nothing behind the span.
    """
    source, target = edit.source or "answer", edit.target or "latents"
    if source not in SOURCES or target not in TARGETS:
        raise EditError(
            f"A knockout goes from {' or '.join(SOURCES)} to {', '.join(TARGETS)}; "
            f"“{source} to {target}” is none of them."
        )
    start, stop = _imagination(edit, context)
    live = context.engine.live(context.held)
    if stop >= len(live.hidden):
        raise EditError("This run ended inside the span, so no answer looks back at it.")
    layers = context.layers(edit)
    fork, queries = (stop, (stop, -1)) if source == "answer" else (start, (start, stop))
    cut = Cut(
        queries,
        own=(start, stop) if target == "latents" else (0, 0),
        prompt=None if target == "latents" else _prompt(target, context),
        layers=layers,
    )
    note = f"{source} → {target} cut in layers {layers[0] + 1} to {layers[1]}"
    receipt = Receipt("knockout", "propagate", edit.span, (), note)
    return Prepared(Plan(fork=fork, cuts=(cut,)), lambda hidden: (receipt,))


def _imagination(edit: Edit, context: Context) -> tuple[int, int]:
    """Places of the latents, or of the imagined words of a model that imagines in words."""
    if context.trace.imagined is not None:
        return context.trace.imagined
    span = context.span(edit)
    return span.start, span.stop


def _prompt(target: str, context: Context) -> Tensor:
    ids = torch.tensor(context.trace.prompt.input_ids)
    image = ids == int(context.engine.passes.config.image_token_id)
    if target == "image" and not bool(image.any()):
        raise EditError("This run had no picture to be cut off from.")
    return image if target == "image" else ~image
