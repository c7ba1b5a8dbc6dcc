"""What a vector says: its nearest words, its nearest patches, and what the output layer reads.

Three readings, none of which is evidence that the model uses what is read:

* nearest vocabulary embeddings, by cosine, for vectors that are *fed*;
* the logit lens, softmax(W_U · norm(h)) (nostalgebraist 2020), at the input and at every layer;
  it also finds words in runs whose latents do nothing, and a tuned lens may find others;
* nearest image patches, by cosine, on the picture's own grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine import Engine
from core.engine.inspect import layer_states
from core.errors import InputError
from core.measures.similarity import cosine
from core.records import Trace

BLOCK = 16384
"""Rows of the vocabulary that are compared at a time."""


@dataclass(frozen=True, eq=False)
class Readings:
    """The k likeliest or nearest tokens of each vector, best first.

    Attributes:
        ids: int64 (…, k).
        scores: float32 (…, k): probabilities (logit lens), or cosines in [−1, 1].
    """

    ids: Tensor
    scores: Tensor

    def words(self, piece: Callable[[int], str]) -> list[list[tuple[str, float]]]:
        """Token texts with their scores, one list a vector; leading axes are flattened.

        Args:
            piece: an id as text, e.g. ``engine.reader.piece``.
        """
        ids, scores = self.ids.flatten(0, -2).tolist(), self.scores.flatten(0, -2).tolist()
        return [
            [(piece(token), score) for token, score in zip(*row, strict=True)]
            for row in zip(ids, scores, strict=True)
        ]


def nearest_embeddings(vectors: Tensor, table: Tensor, k: int = 5) -> Readings:
    """The vocabulary's input embeddings nearest to vectors, by cosine.

    Args:
        vectors: (n, D). One without a direction (0 or NaN) has NaN scores.
        table: (V, D), any dtype and device; rows of length 0 are never near.
        k: at most V.
    """
    k = min(k, len(table))
    unit = torch.nn.functional.normalize(vectors.float(), dim=-1)
    best = torch.full((len(vectors), 0), 0.0)
    ids = torch.zeros(len(vectors), 0, dtype=torch.int64)
    for at in range(0, len(table), BLOCK):
        rows = torch.nn.functional.normalize(table[at : at + BLOCK].float(), dim=-1)
        scores = (unit.to(rows.device) @ rows.T).cpu().clamp(-1, 1)
        found = scores.topk(min(k, scores.shape[1]), dim=-1)
        best = torch.cat([best, found.values], -1)
        ids = torch.cat([ids, found.indices + at], -1)
        kept = best.topk(min(k, best.shape[1]), dim=-1)
        best, ids = kept.values, ids.gather(-1, kept.indices)
    undirected = ~(vectors.float().norm(dim=-1, keepdim=True) > 0)
    return Readings(ids, best.masked_fill(undirected, float("nan")))


def logit_lens(
    states: Tensor,
    unembed: Callable[[Tensor], Tensor],
    norm: Callable[[Tensor], Tensor] | None = None,
    k: int = 5,
) -> Readings:
    """The tokens the output layer reads in hidden states.

    Args:
        states: (…, D).
        unembed: hidden states behind the final norm → logits (…, V).
        norm: the final norm for states from inside the stack; None for states already behind it.
        k: at most V.
    """
    rows = states.flatten(0, -2)
    ids, scores = [], []
    for row in rows.split(64):  # a large vocabulary's logits are never held for all at once
        probabilities = unembed(row if norm is None else norm(row)).float().softmax(-1)
        found = probabilities.topk(min(k, probabilities.shape[-1]), dim=-1)
        ids.append(found.indices.cpu())
        scores.append(found.values.cpu())
    shape = (*states.shape[:-1], ids[0].shape[-1])
    return Readings(torch.cat(ids).view(shape), torch.cat(scores).view(shape))


def embedding_lens(engine: Engine, vectors: Tensor, k: int = 5) -> Readings:
    """:func:`nearest_embeddings` in a model's own vocabulary."""
    return nearest_embeddings(vectors, engine.passes.embedding.weight.detach(), k)


def input_lens(engine: Engine, latents: Tensor, k: int = 5) -> Readings:
    """What the output layer reads in latents (n, D) as they were fed.

    Every family feeds back a vector from behind the final norm (and behind its head, where it
    has one), the very vector its logits were read from; so no norm is applied a second time.
    """
    with engine.lock:
        return logit_lens(_at_home(engine, latents), engine.passes.logits, None, k)


def layer_lens(engine: Engine, trace: Trace, places: Sequence[int], k: int = 5) -> Readings:
    """What the output layer reads at chosen slots behind every layer.

    Args:
        places: indices into ``trace.token_ids``.

    Returns:
        Readings of shape (layers + 1, n, k); row 0 is what was fed with the final norm put on,
        the last row is what the model itself read there.
    """
    states = layer_states(engine, trace, places)
    passes = engine.passes
    with engine.lock, torch.no_grad():
        inside = logit_lens(_at_home(engine, states[:-1]), passes.logits, passes.language.norm, k)
        last = logit_lens(_at_home(engine, states[-1:]), passes.logits, None, k)
    return Readings(torch.cat([inside.ids, last.ids]), torch.cat([inside.scores, last.scores]))


@dataclass(frozen=True, eq=False)
class PatchReadings:
    """How near each vector is to each image patch.

    Attributes:
        similarity: float32 (n, rows, columns), cosine.
        places: int64 (n, k, 2), row and column of the nearest patches, nearest first.
        scores: float32 (n, k), their cosines.
    """

    similarity: Tensor
    places: Tensor
    scores: Tensor


def nearest_patches(
    vectors: Tensor, patches: Tensor, grid: tuple[int, int], k: int = 5
) -> PatchReadings:
    """The picture's patches nearest to vectors.

    Args:
        vectors: (n, D).
        patches: (rows · columns, D), row by row, as ``engine.patches`` gives them.
        grid: (rows, columns), ``trace.prompt.grid``.
        k: at most as many as there are patches.
    """
    rows, columns = grid
    if rows * columns != len(patches) or not len(patches):
        raise InputError(
            f"The picture's grid of {rows} × {columns} does not hold its {len(patches)} patches; "
            "read patches from a run with one picture."
        )
    similarity = cosine(vectors, patches)
    ranked = torch.nan_to_num(similarity, nan=-2.0).topk(min(k, len(patches)), dim=-1)
    places = torch.stack([ranked.indices // columns, ranked.indices % columns], -1)
    return PatchReadings(
        similarity.view(-1, rows, columns), places, similarity.gather(1, ranked.indices)
    )


def _at_home(engine: Engine, states: Tensor) -> Tensor:
    """States on the output layer's device and in its dtype."""
    weight = engine.passes.unembedding.weight
    return states.to(weight.device, weight.dtype)
