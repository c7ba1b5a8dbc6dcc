"""Looking into the selected latent: the lenses, its attention, what it is like.

A reading is made for the selected latent alone, so that neither attention nor lens ever grows
with the run. Where the model is not there, a reading comes out of the session's file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from gui.comparison import is_special
from gui.reading import KEPT, Reading, Row, finite, readings

if TYPE_CHECKING:
    from torch import Tensor

    from core.records import Trace
    from gui.visits import Visit
    from gui.workshop import Workshop

WORDS, LAYER_WORDS, PATCHES, NEIGHBOURS = 5, 3, 4, 5
TOLD = 12  # tokens among which one is sought that is no marker
READERS = 16  # words of the answer whose attention is averaged


def read_selected(visit: Visit, workshop: Workshop) -> Reading | None:
    """The reading of the selected latent (the last of several); None when none is selected."""
    trace = visit.edited or visit.baseline
    if trace is None or not visit.steps or visit.span >= len(trace.spans):
        return None
    step = visit.steps[-1]
    if step >= len(trace.spans[visit.span]):
        return None
    return read(visit, workshop, trace, visit.span, step)


def read(visit: Visit, workshop: Workshop, trace: Trace, span: int, step: int) -> Reading:
    """One latent's reading, from memory where it was read before."""
    kept, name = readings(visit), (trace.id, span, step)
    made = kept.get(name)
    if made is None:
        facts = _facts(trace, span, step)
        if not getattr(workshop.engine, "recorded", False):
            latent = trace.spans[span].latents[step : step + 1]
            facts |= like(workshop.engine, visit.patches, latent, step, trace.prompt.grid)
            facts |= _inside(visit, workshop.engine, trace, span, step)
            while len(kept) >= KEPT:
                kept.pop(next(iter(kept)))
        made = kept[name] = Reading(**facts)
    return replace(made, change=_change(visit, trace, span, step))


def read_pending(visit: Visit, workshop: Workshop) -> Reading | None:
    """The latent that waits to be fed, read as a vector: it has no place in a run yet."""
    import torch

    waiting = visit.pending
    if waiting is None or waiting.step.latent is None:
        return None
    chosen = waiting.step.latent if waiting.vector is None else torch.as_tensor(waiting.vector)
    latent, step, base = chosen.float().view(1, -1), waiting.step.step, visit.baseline
    grid = base.prompt.grid if base is not None else (0, 0)
    facts = {"norm": float(latent.norm()), "grid": grid}
    facts |= like(workshop.engine, visit.patches, latent, step, grid)
    if hasattr(workshop.engine, "passes"):
        facts |= _said(workshop.engine, latent)
    return Reading(**facts)


def _facts(trace: Trace, span: int, step: int) -> dict[str, Any]:
    """What the run itself holds."""
    latents = trace.spans[span].latents
    out: dict[str, Any] = {"norm": float(latents[step].norm()), "grid": trace.prompt.grid}
    if step:
        from core.measures.similarity import cosine

        out["cosine"] = finite(float(cosine(latents[step - 1 : step], latents[step : step + 1])))
    return out


def _change(visit: Visit, trace: Trace, span: int, step: int) -> float | None:
    """Against the run the screen compares with; None for that run itself."""
    before = visit.baseline
    if before is None or before is trace:
        return None
    if span >= len(before.spans) or step >= len(before.spans[span]):
        return None
    old = before.spans[span].latents[step]
    new = trace.spans[span].latents[step]
    return float((new - old).norm()) / max(float(old.norm()), 1e-9)


def like(
    engine: Any, patches: Tensor | None, latents: Tensor, step: int, grid: tuple[int, int]
) -> dict[str, Any]:
    """What a vector (1, D) of a step is like: the bank's latents, and the picture's patches."""
    from core.measures.geometry import longer_than
    from core.measures.neighbours import nearest
    from gui.pointing import nearest_places

    out: dict[str, Any] = {}
    if patches is not None and grid[1]:
        near = nearest_places(latents, patches, grid, PATCHES)[0]
        out["patches"] = tuple((r + 1, c + 1, v) for (r, c), v in near)
    bank = getattr(engine, "bank", None)
    if bank is not None and bool(latents.norm() > 0):
        steps = bank.latents.shape[1]
        rows = bank.latents.flatten(0, 1)
        kept = rows.isfinite().all(dim=1).nonzero()[:, 0]
        found, gaps = nearest(rows[kept], NEIGHBOURS, latents, "cosine")
        where = kept[found[0]].tolist()
        out["bank"] = tuple(
            (_named(bank, i // steps), i % steps + 1, 1 - gap)
            for i, gap in zip(where, gaps[0].tolist(), strict=True)
        )
    if bank is not None:
        clean = bank.latents[:, min(step, bank.latents.shape[1] - 1)]
        out["percentile"] = bank.percentile(step, latents[0])
        out["norm_share"] = finite(longer_than(latents[0], clean))
    return out


def _named(bank: Any, row: int) -> str:
    """An item of the bank in a few words."""
    items = getattr(bank, "items", ())
    item = items[row] if row < len(items) else None
    if item is None or not item.question:
        return f"clean run {row + 1}"
    answer = f" → {item.answer}" if item.answer is not None else ""
    return f"{item.task or item.question[:40]}{answer}"


def _inside(visit: Visit, engine: Any, trace: Trace, span: int, step: int) -> dict[str, Any]:
    """What only the model can tell; nothing but a sentence where it cannot be asked."""
    from core.errors import ZscopeError

    if not hasattr(engine, "passes"):
        return {}
    try:
        return {
            **_lenses(engine, trace, span, step),
            **_attention(visit, engine, trace, span, step),
        }
    except ZscopeError as error:
        return {"problem": str(error)}


def _lenses(engine: Any, trace: Trace, span: int, step: int) -> dict[str, Any]:
    from core.measures.lens import layer_lens

    place = trace.spans[span].start + step
    layers = layer_lens(engine, trace, [place], LAYER_WORDS).words(engine.reader.label)
    said = _said(engine, trace.spans[span].latents[step : step + 1])
    rows = [tuple(row) for row in layers]
    if not said["says"]:
        rows[0] = ()
    return {**said, "layers": tuple(rows)}


def says(visit: Visit, workshop: Workshop, trace: Trace) -> dict[tuple[int, int], Row]:
    """The likeliest word the output layer reads in each latent of a run, and its probability.

    A marker, most often the model's own, says nothing and is passed over. By (span, step), in
    memory from the first time on; of a recorded run what was read then.
    """
    engine = workshop.engine
    if not hasattr(engine, "passes"):
        return {
            (span, step): told
            for (id, span, step), made in readings(visit).items()
            if id == trace.id and (told := _telling(made.says))
        }
    kept: dict[str, dict[tuple[int, int], Row]] = visit.beside.setdefault("says", {})
    if trace.id not in kept:
        from core.measures.lens import input_lens

        found = {}
        for number, span in enumerate(trace.spans):
            words = input_lens(engine, span.latents, TOLD).words(engine.reader.label)
            lengths = span.latents.norm(dim=1).tolist()
            told = [_telling(row) if lengths[k] > 0 else () for k, row in enumerate(words)]
            found |= {(number, k): row for k, row in enumerate(told) if row}
        while len(kept) >= KEPT:
            kept.pop(next(iter(kept)))
        kept[trace.id] = found
    return kept[trace.id]


def _telling(rows: Sequence[Row]) -> Row:
    """The first row whose token is no marker; () where there is none."""
    return next((tuple(row) for row in rows if not is_special(str(row[0]).strip())), ())


def _said(engine: Any, latents: Tensor) -> dict[str, Any]:
    """Words read in a vector (1, D) as it is fed, and those whose embeddings are nearest."""
    from core.measures.lens import embedding_lens, input_lens

    directed = bool(latents.norm() > 0)
    label = engine.reader.label
    near = embedding_lens(engine, latents, WORDS).words(label)[0]
    return {
        # what has no length says every word alike, and the first five of them mean nothing
        "says": tuple(input_lens(engine, latents, WORDS).words(label)[0]) if directed else (),
        "near": tuple((word, v) for word, v in near if isfinite(v)),
    }


def _attention(visit: Visit, engine: Any, trace: Trace, span: int, step: int) -> dict[str, Any]:
    from core.engine.inspect import attention_of
    from core.measures.attention import layout_of, over_image, shares

    layout = layout_of(engine, trace)
    weights = attention_of(engine, trace, [trace.spans[span].start + step])
    # one slot's weights and no more: a second choice of layer or head need not ask the model
    visit.beside["looked"] = ((trace.id, span, step), weights, layout)
    out: dict[str, Any] = {
        "depth": (weights.shape[0], weights.shape[1]),
        "shares": tuple((n, float(v.mean())) for n, v in shares(weights, layout).items()),
        "read": _read_by_answer(visit, engine, trace, layout),
    }
    if layout.image:
        out["looks"] = tuple(over_image(weights, layout)[0].flatten().tolist())
        out["grid"] = layout.grid
    return out


def _read_by_answer(visit: Visit, engine: Any, trace: Trace, layout: Any) -> tuple[float, ...]:
    """Attention of the words behind the last latent on every latent, their mean."""
    from core.engine.inspect import attention_of
    from core.measures.attention import over_latents

    kept: dict[str, tuple[float, ...]] = visit.beside.setdefault("read by", {})
    if trace.id not in kept:
        words = range(trace.spans[-1].stop, len(trace.token_ids) - 1)[:READERS]
        if not words:
            return ()
        weights = attention_of(engine, trace, list(words))
        while len(kept) >= KEPT:
            kept.pop(next(iter(kept)))
        kept[trace.id] = tuple(over_latents(weights, layout).mean(0).tolist())
    return kept[trace.id]


def look(
    visit: Visit, workshop: Workshop, layer: int | None, head: int | None
) -> tuple[float, ...]:
    """Attention of the selected latent on each patch, in one layer and head or their mean.

    Raises:
        core.errors.InputError: no such layer or head, or no picture.
    """
    from core.measures.attention import over_image

    reading = read_selected(visit, workshop)
    trace = visit.edited or visit.baseline
    if reading is None or trace is None or not reading.looks:
        return ()
    if layer is None and head is None:
        return reading.looks
    name = (trace.id, visit.span, visit.steps[-1])
    if visit.beside.get("looked", ((),))[0] != name:
        _attention(visit, workshop.engine, trace, visit.span, visit.steps[-1])
    _, weights, layout = visit.beside["looked"]
    return tuple(over_image(weights, layout, layer, head)[0].flatten().tolist())
