"""What an edit really delivered, step by step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dose:
    """The delivered dose at one latent step.

    Attributes:
        step: index into the span's latents; of an edit of the prompt, the latent it stands in for.
        epsilon: relative change ‖z′−z‖/‖z‖, z being the vector that stood there before.
        cosine: cos(z, z′).
        norm_ratio: ‖z′‖/‖z‖.
        percentile: where z′ stands among the bank's clean latents of this step, by distance
            from their mean: 0–100, or None without a bank. Above 99 is off the manifold.
        hidden_change: relative change of the hidden state at this slot against the parent's
            run, ‖h′−h‖/‖h‖. Greater than 0 whenever the edit arrived with epsilon > 0. None
            where the parent has no such slot.
        place: the prompt's slot that was edited, counted from its first; None for a latent.
    """

    step: int
    epsilon: float
    cosine: float
    norm_ratio: float
    percentile: float | None = None
    hidden_change: float | None = None
    place: int | None = None


@dataclass(frozen=True)
class Receipt:
    """The receipt of one edit: its kind, where it went, and the dose at each step.

    Attributes:
        kind: the edit's kind.
        mode: ``"propagate"``, ``"pinned"`` or ``"cached"``.
        span: index of the edited span.
        doses: one per edited step; empty for edits of presence, gate or text.
        note: what was done, in words, where a dose does not describe it.
    """

    kind: str
    mode: str
    span: int
    doses: tuple[Dose, ...] = ()
    note: str = ""

    @property
    def epsilon(self) -> float:
        """Mean delivered relative dose over the edited steps (0 when there are none)."""
        return sum(d.epsilon for d in self.doses) / len(self.doses) if self.doses else 0.0

    @property
    def cosine(self) -> float:
        """Mean cos(z, z′) over the edited steps (1 when there are none)."""
        return sum(d.cosine for d in self.doses) / len(self.doses) if self.doses else 1.0

    @property
    def hidden_change(self) -> float | None:
        """Largest relative change of a hidden state at an edited slot."""
        seen = [d.hidden_change for d in self.doses if d.hidden_change is not None]
        return max(seen) if seen else None

    @property
    def percentile(self) -> float | None:
        """Highest percentile against the bank over the edited steps."""
        seen = [d.percentile for d in self.doses if d.percentile is not None]
        return max(seen) if seen else None
