"""What a run that is watched shows, slot by slot."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from core.records import Trace


@dataclass(frozen=True, eq=False)
class Step:
    """What a stream yields.

    A step with ``latent`` set comes *before* that latent is fed: ``generator.send(vector)``
    replaces it. The last step of a stream carries the finished ``trace``.

    Attributes:
        index: place in ``token_ids``.
        token_id, piece: the recorded token and its text.
        latent: float32 (D,) about to be fed in this slot, or None.
        span, step: of the latent, −1 for a token.
        trace: the finished trace, on the last step only.
    """

    index: int
    token_id: int
    piece: str = ""
    latent: Tensor | None = None
    span: int = -1
    step: int = -1
    trace: Trace | None = None
