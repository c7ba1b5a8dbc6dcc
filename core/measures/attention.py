"""Where slots look: attention gathered over the picture's patches, the latents and the words.

Weights come from :func:`core.engine.inspect.attention_of`, (layers, heads, n, keys), each row
summing to 1 over the keys. A mean over layers and heads is the usual summary; it can hide a
single head that does the work, so layer and head can be picked. Attention shows where a slot
could read from, not what it read.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine import Engine
from core.engine.inspect import image_slots
from core.errors import InputError
from core.records import Trace

GROUPS = ("image", "question", "latents", "words")


@dataclass(frozen=True)
class Layout:
    """What stands where among a run's keys.

    Attributes:
        prompt: number of prompt slots; own slots follow.
        image: key indices of the picture's patches, row by row.
        grid: (rows, columns) of those patches.
        latents: key indices of the run's latent slots.
        keys: number of keys.
    """

    prompt: int
    image: tuple[int, ...]
    grid: tuple[int, int]
    latents: tuple[int, ...]
    keys: int

    def group(self, name: str) -> list[int]:
        """Key indices of one of :data:`GROUPS`: the picture, the rest of the prompt, the latent
        slots, the rest of the run's own slots."""
        if name not in GROUPS:
            raise InputError(f"“{name}” is no group of keys; choose {', '.join(GROUPS)}.")
        if name == "image":
            return list(self.image)
        if name == "latents":
            return list(self.latents)
        first, stop = (0, self.prompt) if name == "question" else (self.prompt, self.keys)
        taken = {*self.image, *self.latents}
        return [key for key in range(first, stop) if key not in taken]


def layout_of(engine: Engine, trace: Trace) -> Layout:
    """The layout of a run's keys as ``attention_of`` orders them."""
    prompt = len(trace.prompt.input_ids)
    image = tuple(image_slots(engine, trace))
    keys = prompt + max(1, len(trace.token_ids) - 1)
    latents = tuple(prompt + p for s in trace.spans for p in range(s.start, s.stop))
    return Layout(prompt, image, trace.prompt.grid if image else (0, 0), latents, keys)


def pick(weights: Tensor, layer: int | None = None, head: int | None = None) -> Tensor:
    """One layer and head of (layers, heads, n, keys), or the mean over either: (n, keys)."""
    for index, size, what in (
        (layer, weights.shape[0], "layer"),
        (head, weights.shape[1], "head"),
    ):
        if index is not None and not 0 <= index < size:
            raise InputError(f"There is no {what} {index}; choose 0 to {size - 1}.")
    over_layers = weights.mean(0) if layer is None else weights[layer]
    return over_layers.mean(0) if head is None else over_layers[head]


def over_image(
    weights: Tensor, layout: Layout, layer: int | None = None, head: int | None = None
) -> Tensor:
    """Attention on each patch: float32 (n, rows, columns); its sum is the share on the picture.

    Raises:
        InputError: the run had no picture.
    """
    if not layout.image:
        raise InputError("This run had no picture to look at.")
    rows, columns = layout.grid
    return pick(weights, layer, head)[:, list(layout.image)].view(-1, rows, columns)


def over_latents(
    weights: Tensor, layout: Layout, layer: int | None = None, head: int | None = None
) -> Tensor:
    """Attention on each latent slot of the run, in order: float32 (n, latents)."""
    return pick(weights, layer, head)[:, list(layout.latents)]


def over_words(
    weights: Tensor, layout: Layout, layer: int | None = None, head: int | None = None
) -> tuple[list[int], Tensor]:
    """Attention on every slot of text: its key indices, and float32 (n, slots).

    Keys below ``layout.prompt`` index ``prompt.input_ids``, the others ``token_ids``.
    """
    keys = layout.group("question") + layout.group("words")
    return keys, pick(weights, layer, head)[:, keys]


def shares(weights: Tensor, layout: Layout) -> dict[str, Tensor]:
    """Attention mass on each of :data:`GROUPS`: float32 (layers, heads, n); they sum to 1."""
    if weights.shape[-1] != layout.keys:
        raise InputError(
            f"These weights are over {weights.shape[-1]} keys and the run has {layout.keys}."
        )
    out = {}
    for name in GROUPS:
        keys = torch.tensor(layout.group(name), dtype=torch.int64)
        out[name] = weights.index_select(-1, keys).sum(-1)
    return out
