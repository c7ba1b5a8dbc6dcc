"""A run of consecutive latent slots: the model's imagination, as it was fed."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Span:
    """One latent span of a trace.

    Attributes:
        start: index into ``Trace.token_ids`` of the span's first latent slot.
        latents: float32 (K, D), the vectors as they were fed, on the CPU.
        hidden: float32 (K, D), the last layer's hidden state (after the final norm) at each
            of the slots; what the receipt compares to tell an edit without effect from an
            edit that never arrived.
        ended_by: ``"count"``, ``"end token"``, ``"distance"``, ``"repeat"``, ``"restart"``
            (a start token inside the span), ``"edit"``, ``"eos"``, ``"length"`` or
            ``"cancelled"``.
    """

    start: int
    latents: Tensor
    hidden: Tensor
    ended_by: str

    @property
    def stop(self) -> int:
        """Index into ``Trace.token_ids`` just behind the last latent slot."""
        return self.start + self.latents.shape[0]

    def __len__(self) -> int:
        return int(self.latents.shape[0])
