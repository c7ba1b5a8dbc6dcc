"""Where the latents of one run look, and what they say; read off the run, changing nothing."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from core.engine import Engine
from core.engine.forced import answer_tokens
from core.engine.inspect import attention_of
from core.measures.attention import GROUPS, Layout, layout_of, over_image, pick, shares
from core.measures.lens import embedding_lens, input_lens, layer_lens
from core.records import Trace
from core.study.inside.look import Read

TOP = 5
"""Tokens kept of each reading."""
ATTENDED = 3
"""Keys kept of what a latent looks at."""
LONGEST_SIDE = 160
"""Pixels of the small picture."""


def read_run(engine: Engine, trace: Trace) -> dict[str, Any]:
    """Attention and lens of a run's first span, under the names of :class:`Look`.

    Args:
        trace: a run this engine holds, with latents.
    """
    span = trace.spans[0]
    places = list(range(span.start, span.stop))
    layout = layout_of(engine, trace)
    weights = attention_of(engine, trace, places)  # (L, heads, K, keys)
    mass = {"latents": _mass(weights, layout)}
    first = answer_tokens(engine, trace)[0] - 1  # the slot its first word is read from
    if first >= 0:
        mass["answer"] = _mass(attention_of(engine, trace, [first]), layout)
    seen = first if first >= 0 else places[-1]
    mass["keys"] = _keys(layout, seen)
    over = over_image(weights, layout).flatten(1).tolist() if layout.image else []
    piece = engine.reader.piece
    deep = layer_lens(engine, trace, places, 1)  # (L + 1, K, 1)
    flat = [row[0] for row in deep.words(piece)]
    return {
        "layers": engine.passes.layers,
        "grid": layout.grid,
        "over": over,
        "mass": mass,
        "attended": _attended(engine, trace, weights, layout),
        "says": input_lens(engine, span.latents, TOP).words(piece),
        "near": embedding_lens(engine, span.latents, TOP).words(piece),
        "deep": [flat[at : at + len(places)] for at in range(0, len(flat), len(places))],
    }


def small(picture: Image.Image | None) -> str:
    """A picture as a data URL of few bytes; "" for none."""
    if picture is None:
        return ""
    copy = picture.convert("RGB")
    copy.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    out = io.BytesIO()
    copy.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def _mass(weights: Any, layout: Layout) -> dict[str, list[float]]:
    """Share of the attention that falls on each group of keys, a layer each."""
    return {name: of.mean((1, 2)).tolist() for name, of in shares(weights, layout).items()}


def _keys(layout: Layout, place: int) -> dict[str, list[float]]:
    """Share of the keys a slot sees that belong to each group."""
    seen = layout.prompt + place + 1
    return {
        name: [sum(key < seen for key in layout.group(name)) / seen]
        for name in GROUPS
    }  # fmt: skip


def _attended(engine: Engine, trace: Trace, weights: Any, layout: Layout) -> list[list[Read]]:
    found = pick(weights).topk(min(ATTENDED, layout.keys), dim=-1)
    return [
        [
            (_named(engine, trace, layout, int(key)), float(weight))
            for key, weight in zip(keys, values, strict=True)
        ]
        for keys, values in zip(found.indices.tolist(), found.values.tolist(), strict=True)
    ]


def _named(engine: Engine, trace: Trace, layout: Layout, key: int) -> str:
    """A key's name: a patch by row and column, a latent by number, a token by its text."""
    if layout.image and key in range(layout.image[0], layout.image[-1] + 1):
        row, column = divmod(layout.image.index(key), layout.grid[1])
        return f"patch {row + 1}, {column + 1}"
    if key in layout.latents:
        return f"latent {layout.latents.index(key) + 1}"
    own = key - layout.prompt
    token = trace.token_ids[own] if own >= 0 else trace.prompt.input_ids[key]
    return engine.reader.piece(int(token))
