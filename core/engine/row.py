"""One row of a batch while it is decoded: its own tokens, state and record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Event

import torch
from torch import Tensor

from core.engine.machine import RowState, TokenIds, advance, feeds_latent
from core.engine.plan import Plan
from core.engine.standing import Standing
from core.errors import EditError
from core.families import Family
from core.records import Settings, Span


@dataclass(eq=False)
class Row:
    """What one row has said so far, and what it feeds next.

    Place i is the i-th recorded token; the pass that chose it is pass i (pass 0 consumed the
    prompt), and the slot it is fed in is own slot i.

    Attributes:
        hidden: per pass the vector the logits were read from, (D,): the last layer's hidden
            state after the final norm, and after the family's head in a latent slot.
        states: per place the machine's state after the token was chosen.
        vectors: place → the latent that was fed there, (D,), on the model's device.
        pending: the latent to feed next, or None for the last token's embedding.
        before: the vector held before the last pass (LVR's distance check looks at it).
        standing: earlier edits that are done again, and those of this row as they are done.
        limit: tokens after which the row counts as stopped, or None.
        cancel: stops this row alone when set, the others of its batch go on.
    """

    family: Family
    ids: TokenIds
    settings: Settings
    state: RowState
    prompt_ids: list[int]
    padded_ids: list[int]
    first_position: int
    plan: Plan = field(default_factory=lambda: Plan(fork=0))
    forced: dict[int, int] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)
    sampled: list[int] = field(default_factory=list)
    states: list[RowState] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)
    vectors: dict[int, Tensor] = field(default_factory=dict)
    logprobs: list[float] = field(default_factory=list)
    top: list[tuple[tuple[int, float], ...]] = field(default_factory=list)
    exits: dict[int, str] = field(default_factory=dict)
    pending: Tensor | None = None
    before: Tensor | None = None
    ended: str = ""
    span: int = -1
    step: int = -1
    usual_budget: int = 0
    reported: bool = False
    standing: Standing = field(default_factory=Standing)
    limit: int | None = None
    cancel: Event | None = None

    @property
    def stopped(self) -> bool:
        """Whether somebody wants no more of this row."""
        return self.cancel is not None and self.cancel.is_set()

    @property
    def over(self) -> bool:
        """Whether it goes no further: nobody wants more, or it was stopped here before."""
        return self.stopped or self.place == self.limit

    @property
    def place(self) -> int:
        """Place of the next token to be chosen."""
        return len(self.tokens)

    def near_end(self, latent_end: Tensor | None) -> bool:
        """Whether the vector held before the last pass lies close to LVR's latent end."""
        if latent_end is None or self.settings.strategy != "latent" or self.before is None:
            return False
        x, y = self.before.float(), latent_end.float()
        if self.settings.criterion == "mse":
            distance = (x - y).square().mean()
        elif self.settings.criterion == "mae":
            distance = (x - y).abs().mean()
        else:
            distance = 1 - torch.nn.functional.cosine_similarity(x, y, dim=-1)
        return bool(distance < self.settings.end_threshold)

    def settle(self, sampled: int, hidden: Tensor, latent_end: Tensor | None) -> int:
        """Choose place's token after a pass: the machine's step, unless the plan scripts it.

        Returns:
            The recorded token.
        """
        place = self.place
        scripted = self.plan.script.get(place) or self.standing.script.get(place)
        was_latent = (place - 1) in self.vectors
        if scripted is not None:
            token, sampled, self.state = scripted.token, scripted.sampled, scripted.state
            self.pending = scripted.vector
        else:
            consumed = self.tokens[-1] if self.tokens else self.prompt_ids[-1]
            self.state, token = advance(
                self.family,
                self.ids,
                self.state,
                consumed,
                sampled,
                self.near_end(latent_end),
                self.settings.strategy,
            )
            fed = feeds_latent(self.family, self.ids, self.state, token)
            self.pending = hidden if fed else None
        if was_latent and self.pending is None:
            restart = self.state.active and token == self.ids.start
            self.exits[self.span] = "restart" if restart else self.state.exit or "end token"
            self._restore_budget()
        self.tokens.append(token)
        self.sampled.append(sampled)
        self.states.append(self.state)
        self.before = hidden
        self._stop(token)
        return token

    def enter_slot(self) -> tuple[int, int]:
        """Span and step of the latent about to be fed; call once a latent slot."""
        if (self.place - 2) in self.vectors:
            self.step += 1
        else:
            self.span, self.step = self.span + 1, 0
            if self.span in self.standing.lengths:
                self.resize(*self.standing.lengths[self.span])
        return self.span, self.step

    def resize(self, budget: int, floor: int) -> None:
        """Give the open span another length."""
        self.state = replace(self.state, budget=budget, floor=floor)
        self.states[-1] = self.state

    def put(self, vector: Tensor) -> None:
        """Feed ``vector`` (D,) in the latent slot that was just entered, and keep it there."""
        assert self.pending is not None
        self.pending = vector.to(self.pending)
        if not bool(self.pending.isfinite().all()):
            raise EditError(
                f"Latent {self.step + 1} would hold numbers beyond {self.settings.dtype}; choose a "
                "smaller dose or other values."
            )
        put = {**self.standing.put, (self.span, self.step): self.pending}
        self.standing = replace(self.standing, put=put)

    def _restore_budget(self) -> None:
        if (self.state.budget, self.state.floor) != (self.usual_budget, 0):
            self.state = replace(self.state, budget=self.usual_budget, floor=0)

    def _stop(self, token: int) -> None:
        held = self.state.active and self.family.eos_inside == "ignore"
        if token in self.ids.eos and not held:
            self.end("eos")
        elif self.place >= self.settings.max_new_tokens and (
            self.family.obeys_length or not self.state.active
        ):
            self.end("length")

    def end(self, why: str) -> None:
        """Finish the row."""
        self.ended = why
        if (self.place - 2) in self.vectors and self.span not in self.exits:
            self.exits[self.span] = why

    def spans(self) -> tuple[Span, ...]:
        """The latent spans as fed, float32 on the CPU."""
        found: list[Span] = []
        places = sorted(self.vectors)
        for place in places:
            if place - 1 in self.vectors:
                continue
            last = place
            while last + 1 in self.vectors:
                last += 1
            rows = range(place, last + 1)
            latents = torch.stack([self.vectors[p] for p in rows]).float().cpu()
            hidden = torch.stack([self.hidden[p + 1] for p in rows]).float().cpu()
            why = self.exits.get(len(found), self.ended or "length")
            found.append(Span(place, latents, hidden, why))
        return tuple(found)
