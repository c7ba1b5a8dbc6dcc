"""What the decode loop is told to do differently in one row: an intervention, made concrete.

:mod:`core.edits` turns edits into a plan; the loop carries it out without knowing what it
means. A plan never touches the parent's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from core.engine.cache import Pairs
from core.engine.knockout import Cut
from core.engine.machine import RowState
from core.records import Receipt

Layers = list[tuple[Tensor, Tensor]]
"""Keys and values (H, d) of one slot, a pair a layer."""

Replace = Callable[[int, int, Tensor], Tensor]
"""(span, step, the vector about to be fed (D,) float32) → the vector to feed."""


@dataclass(frozen=True, eq=False)
class Scripted:
    """What is recorded at one place whatever is sampled, and the state behind it.

    Attributes:
        token, sampled: the recorded and the sampled id.
        state: the machine's state after the token.
        vector: float32 (D,) fed in the slot, or None for the token's embedding.
    """

    token: int
    sampled: int
    state: RowState
    vector: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """An intervention on one row.

    Attributes:
        fork: own slots of the parent that are kept as they are.
        settle_from: the hidden state (D,) of pass ``fork`` when the next token is to be
            chosen anew; None when ``script`` names it.
        script: place → what is recorded and fed there.
        replace: what each latent is replaced by just before it is fed; None for nothing.
        banned: ids that cannot be sampled.
        forced: place → id the sampler is made to draw.
        budget, floor: K of the span that is open at the fork, and the least it must reach.
        slots: place → vector, own slots before the fork whose keys and values alone are
            computed anew, each against the parent's cache (``cached`` mode).
        carried: place → keys and values (H, d) a layer that are put into own slots before
            the fork as they are (slot edits).
        prompt: keys and values (1, H, P, d) a layer that stand in the place of the prompt's.
        fed: prompt slot → vector that was fed there when ``prompt`` was made; empty where only
            the edited slots' own keys and values were exchanged.
        cuts: edges knocked out from the fork on, beside the parent's.
        holds: branches of this branch hold ``script`` too (``pinned`` mode).
        gone: the span that is taken away, so that later ones count one less.
        inherits: earlier edits of the parent stay in place behind the fork.
    """

    fork: int
    settle_from: Tensor | None = None
    script: Mapping[int, Scripted] = field(default_factory=dict)
    replace: Replace | None = None
    banned: tuple[int, ...] = ()
    forced: Mapping[int, int] = field(default_factory=dict)
    budget: int | None = None
    floor: int | None = None
    slots: Mapping[int, Tensor] = field(default_factory=dict)
    carried: Mapping[int, Layers] = field(default_factory=dict)
    prompt: Pairs | None = None
    fed: Mapping[int, Tensor] = field(default_factory=dict)
    cuts: tuple[Cut, ...] = ()
    holds: bool = False
    gone: int | None = None
    inherits: bool = True

    @property
    def patches(self) -> bool:
        """Whether slots before the fork are exchanged one by one."""
        return bool(self.slots or self.carried)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A plan with a way to write its receipts once the row has run.

    Attributes:
        plan: what to do.
        receipts: given the row's hidden states a pass, one receipt an edit.
    """

    plan: Plan
    receipts: Callable[[Sequence[Tensor]], tuple[Receipt, ...]]
