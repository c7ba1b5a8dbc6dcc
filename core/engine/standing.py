"""What a run's earlier edits put in place, and its branches keep.

Edits stack: a branch of an edited run is that run with one thing more changed. Decoding on from
an earlier slot would otherwise undo silently what was done behind it; here is what is done again
instead. A latent that was put in place stays as it was put, whatever is recomputed around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from core.engine.cache import RowCache
from core.engine.plan import Plan, Scripted
from core.records import Span


@dataclass(frozen=True, eq=False)
class Standing:
    """Earlier edits of a row, as they bear on decoding it again.

    Attributes:
        put: (span, step) → the vector an edit or a person fed there (D,).
        lengths: span → its budget and floor, where it was truncated or extended.
        script: place → what a pinned edit holds there.
        clean: span → the cache against which each of its slots was computed alone, where
            the slots were not decoded one after the other (``cached`` mode, slot edits).
        apart: places of such spans that no decoding gives again: the first exchanged slot
            and those behind it.
        carried: those of them whose keys and values came from another run.
        prompt: prompt slot → the vector an edit fed there (D,).
    """

    put: Mapping[tuple[int, int], Tensor] = field(default_factory=dict)
    lengths: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    script: Mapping[int, Scripted] = field(default_factory=dict)
    clean: Mapping[int, RowCache] = field(default_factory=dict)
    apart: frozenset[int] = frozenset()
    carried: frozenset[int] = frozenset()
    prompt: Mapping[int, Tensor] = field(default_factory=dict)

    def under(self, plan: Plan, spans: tuple[Span, ...]) -> Standing:
        """What of it still stands in a branch that ``plan`` makes of a run with ``spans``."""
        if not plan.inherits:
            return Standing(prompt=self.prompt)  # the prompt itself stays as it was fed
        kept = replace(
            self,
            script=self._script_behind(plan, spans),
            apart=frozenset(p for p in self.apart if p < plan.fork),
            carried=frozenset(p for p in self.carried if p < plan.fork),
        )
        if plan.gone is None:
            return kept
        gone = plan.gone
        return replace(
            kept,
            put={(s - (s > gone), k): v for (s, k), v in self.put.items() if s != gone},
            lengths={s - (s > gone): v for s, v in self.lengths.items() if s != gone},
            clean={s: v for s, v in self.clean.items() if s < gone},
        )

    def _script_behind(self, plan: Plan, spans: tuple[Span, ...]) -> dict[int, Scripted]:
        """The held places of the span that is open at the fork; places of later spans move."""
        if plan.gone is not None or plan.budget is not None:
            return {}
        open_ = next((s for s in spans if s.start <= plan.fork < s.stop), None)
        if open_ is None:
            return {}
        return {p: held for p, held in self.script.items() if plan.fork < p <= open_.stop}
