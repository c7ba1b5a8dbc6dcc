"""Runs that are looked at without their model: everything but asking and editing works."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gui.workshop import Workshop

if TYPE_CHECKING:
    from core.records import Trace


class RecordedEngine:
    """Stands where an engine would; what would need the model says so.

    Args:
        name: of the model the runs were made with.
        family: name of its family.
    """

    recorded = True
    bank = None
    budget = 0
    notes = ("These are recorded runs: the model itself is not loaded.",)

    def __init__(self, name: str, family: str = "") -> None:
        from core import families

        known = family in families.names()
        self.name = name or "recorded runs"
        self.family: Any = (
            families.get(family)
            if known
            else SimpleNamespace(
                name=family, title=family, latent=True, imagines_in_words=False, needs=""
            )
        )

    def run(self, *_: Any, **__: Any) -> Trace:
        """Nothing can be asked.

        Raises:
            core.errors.CheckpointError: always, in one sentence.
        """
        raise self._absent()

    stream = branch = branches = run_many = run

    def score(self, trace: Trace, options: Sequence[str]) -> dict[str, float]:
        """What was scored when the run was recorded."""
        kept = dict(trace.option_scores)
        return kept if set(options) <= set(kept) else {}

    def patches(self, trace: Trace) -> Any:
        """None were recorded: a (0, D) table."""
        import torch

        width = trace.spans[0].latents.shape[1] if trace.spans else 1
        return torch.zeros(0, width)

    def adopt(self, trace: Trace, *_: Any) -> Trace:
        """Nothing is replayed."""
        return trace

    def _absent(self) -> Exception:
        from core.errors import CheckpointError

        return CheckpointError(
            "These runs are recorded and their model is not loaded; choose a model in the head "
            "of the page to ask or to edit."
        )


def recorded_workshop(name: str, family: str, like: Workshop) -> Workshop:
    """A workshop for recorded runs, with the examples and kinds of another."""
    room = Workshop(lambda: RecordedEngine(name, family), lambda: (), lambda: like.kinds)
    room.warm()
    return room
