"""Making a run's cache again: the same tokens forced, the same edits applied.

Used when a cache was dropped to make room, and when a trace comes from a file or from another
process (on shared GPU hosting nothing survives a call). A replay is checked token by token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from core.engine.branching import stopped_at
from core.engine.decoding import Job, decode_one
from core.engine.prompts import Prepared
from core.engine.store import Held
from core.errors import InputError
from core.records import Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine


def revive(engine: Engine, held: Held) -> None:
    """Fill in the dropped heavy part of ``held``."""
    trace = held.trace
    if trace.parent is None:
        again = _rerun(engine, held, trace)
    else:
        parent = engine.store.parent_of(trace)
        if parent is None:
            raise InputError(
                "The run this branch came from is no longer held; run the question again."
            )
        again = engine.branches(parent.trace, [trace.edits], keep=True, replay=trace)[0]
    _same(again, trace)
    held.live = engine.store.get(again).live
    engine.store.forget(again.id)


def _rerun(engine: Engine, held: Held, trace: Trace) -> Trace:
    """Decode a root run again, hand-fed latents included."""
    sent: dict[tuple[int, int], Tensor] = {}
    for edit in trace.edits:
        assert isinstance(edit.values, Tensor)
        assert edit.steps is not None
        sent[edit.span, edit.steps[0]] = edit.values
    forced = dict(enumerate(trace.sampled_ids))
    limit = stopped_at(trace)
    job = Job(held.inputs, trace.settings, [trace.prompt], forced, limit=limit)
    stream = decode_one(engine, job, watch=bool(sent))
    answer: Tensor | None = None
    try:
        while True:
            step = stream.send(answer) if answer is not None else next(stream)
            answer = sent.get((step.span, step.step)) if step.latent is not None else None
            if step.trace is not None:
                return step.trace
    except StopIteration:
        raise AssertionError("a stream always ends in its trace") from None


def adopt(
    engine: Engine, trace: Trace, image: Image.Image | None, ancestors: Sequence[Trace] = ()
) -> Trace:
    """Make a foreign trace known to the engine; see :meth:`Engine.adopt`."""
    chain = [trace]
    known = {t.id: t for t in ancestors}
    while chain[0].parent is not None:
        parent = known.get(chain[0].parent)
        if parent is None:
            raise InputError("To reopen a branch, hand over the runs it came from as well.")
        chain.insert(0, parent)
    root = chain[0]
    if root.family != engine.family.name:
        raise InputError(
            f"This run was made by a model of another family ({root.family}); open {root.model}."
        )
    prepared = engine.prompt(image, root.prompt.question, root.prompt.system)
    ours, theirs = prepared.prompt, root.prompt
    if (ours.input_ids, ours.image_hash) != (theirs.input_ids, theirs.image_hash):
        raise InputError("The picture or the question is not the one this run was made from.")
    last = prepared.inputs
    for member in chain:
        try:
            held = engine.store.get(member)
        except InputError:
            held = Held(
                member, last, _first_position(engine, prepared), list(root.prompt.input_ids), None
            )
            engine.store.put(held)
            revive(engine, held)
            if held.patches is None and image is not None:
                held.patches = engine.passes.prefill(last).patches[0]
    return trace


def _first_position(engine: Engine, prepared: Prepared) -> int:
    import torch

    positions, _ = engine.passes.model.model.get_rope_index(
        prepared.inputs["input_ids"],
        mm_token_type_ids=prepared.inputs["mm_token_type_ids"],
        image_grid_thw=prepared.inputs.get("image_grid_thw"),
    )
    return int(torch.as_tensor(positions).max()) + 1


def _same(again: Trace, trace: Trace) -> None:
    if again.token_ids != trace.token_ids:
        place = next(
            (
                i
                for i, (a, b) in enumerate(zip(again.token_ids, trace.token_ids, strict=False))
                if a != b
            ),
            min(len(again.token_ids), len(trace.token_ids)),
        )
        raise InputError(
            f"Replaying this run gave another token at place {place}; it was made with another "
            "model, device or version."
        )
