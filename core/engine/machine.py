"""The state machine all published loops are instances of, for one row.

:func:`advance` is called once after every forward pass. It knows tokens and counts only, no
tensors: which token was consumed, which was sampled, and whether the vector just consumed
lay close to the latent-end vector. It answers what is recorded for the next slot and what
that slot is fed. A row of a batch has its own :class:`RowState`, so rows never influence
each other, whatever the published batch code did.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.families.protocol import Family


@dataclass(frozen=True)
class TokenIds:
    """A family's special tokens as ids of one checkpoint; -1 where it has none."""

    start: int = -1
    end: int = -1
    pad: int = -1
    markers: tuple[int, ...] = ()
    after_exit: tuple[int, ...] = ()
    eos: tuple[int, ...] = ()


@dataclass(frozen=True)
class RowState:
    """Where one row stands between two forward passes.

    Attributes:
        budget: K for this row.
        floor: latents below which an end token inside the span is treated as a pad.
        active: the next slot is fed a hidden state.
        count: latents granted in this span (LVR ``latent``: consumed).
        closed: Mirage's ``latent_end`` flag; never cleared with count scope ``"run"``.
        ends: end tokens sampled so far (Mirage counts them against the batch size).
        last, repeats: the last sampled token in a span and how often it came in a row.
        queue: tokens that are recorded next whatever is sampled.
        first: nothing has been recorded yet.
        exit: why the last span ended, "" while none has.
    """

    budget: int
    floor: int = 0
    active: bool = False
    count: int = 0
    closed: bool = False
    ends: int = 0
    last: int = -1
    repeats: int = 0
    queue: tuple[int, ...] = ()
    first: bool = True
    exit: str = ""


def advance(
    family: Family,
    ids: TokenIds,
    state: RowState,
    consumed: int,
    sampled: int,
    near_end: bool = False,
    strategy: str | None = None,
) -> tuple[RowState, int]:
    """One step of the machine.

    Args:
        family: the settings.
        ids: the special tokens.
        state: the row's state before this step.
        consumed: the recorded token of the slot the pass just consumed.
        sampled: what the sampler drew from the pass's logits.
        near_end: the vector the row held before this pass is close to the latent-end vector.
        strategy: LVR's ``"steps"`` or ``"latent"``.

    Returns:
        The state after the step and the token recorded for the next slot;
        ``state.active`` of the new state says that this slot is fed a hidden state.
    """
    state = replace(state, first=False) if state.first else state
    if state.queue:
        return replace(state, queue=state.queue[1:]), state.queue[0]
    if not family.latent:
        return state, sampled
    if family.trigger == "sampled":
        if family.start_slot == "latent":
            return _start_slot_latent(family, ids, state, sampled)
        return _start_slot_embedded(family, ids, state, sampled)
    if family.strategies:
        return _counted_while_consumed(ids, state, consumed, sampled, near_end, strategy)
    return _opened_by_consumed(family, ids, state, consumed, sampled)


def _start_slot_latent(
    family: Family, ids: TokenIds, state: RowState, sampled: int
) -> tuple[RowState, int]:
    """Monet's runner: the start token's slot is the first latent, K counts it."""
    active, count, exit_ = state.active, state.count, state.exit
    if not active and sampled == ids.start:
        active = True
    elif active and _ended(ids, state, sampled):
        exit_ = "count" if state.count >= state.budget else "end token"
        active, count, sampled = False, 0, ids.end
    if active:
        count += 1
    return replace(state, active=active, count=count, exit=exit_), sampled


def _ended(ids: TokenIds, state: RowState, sampled: int) -> bool:
    if state.count >= state.budget:
        return True
    return sampled == ids.end and state.count >= state.floor


def _start_slot_embedded(
    family: Family, ids: TokenIds, state: RowState, sampled: int
) -> tuple[RowState, int]:
    """Mirage and the CapImagine loop: start embedded, pads fed, end forced by count."""
    whole_run = family.count_scope == "run"
    active, count, closed = state.active, state.count, state.closed
    ends, exit_ = state.ends, state.exit
    starting = sampled == ids.start
    if starting:
        # a start token inside a span is embedded; only ILVR begins the count anew there
        active = True
        count = 0 if family.count_scope == "start" else count
        closed = closed and whole_run
    elif sampled == ids.end and not (active and not closed and count < state.floor):
        ends += 1
        if not whole_run or ends == 1:
            exit_ = "end token" if active else exit_
            active, closed = False, True
            count = count if whole_run else 0
    elif active:
        sampled = ids.pad
    if active and not closed and not starting:
        count += 1
        if count > state.budget:
            sampled, active, closed, exit_ = ids.end, False, True, "count"
            count = count if whole_run else 0
    # only a start token that is *fed as such* pauses the span; see feeds_latent
    after = replace(
        state, active=active, count=count, closed=closed, ends=ends, exit=exit_, last=sampled
    )
    return after, sampled


def _counted_while_consumed(
    ids: TokenIds,
    state: RowState,
    consumed: int,
    sampled: int,
    near_end: bool,
    strategy: str | None,
) -> tuple[RowState, int]:
    """LVR: opened by the consumed start token; what is sampled is recorded as it is."""
    start = consumed == ids.start
    if strategy == "latent":
        count = 0 if start else state.count + state.active
        full = count >= state.budget
        wanted = state.active or start
        near_end = near_end and count >= state.floor
        active = wanted and not near_end and not full
        exit_ = state.exit
        if wanted and not active:
            exit_ = "distance" if near_end else "count"
        return replace(state, active=active, count=count, exit=exit_), sampled
    wanted = state.active or start
    left = state.budget if (wanted and not state.active) else state.budget - state.count
    left -= state.active
    active = wanted and left > 0
    exit_ = "count" if state.active and not active else state.exit
    return replace(state, active=active, count=state.budget - left, exit=exit_), sampled


def _opened_by_consumed(
    family: Family, ids: TokenIds, state: RowState, consumed: int, sampled: int
) -> tuple[RowState, int]:
    """SkiLa and Laser: opened by the consumed start token, the end token forced."""
    active, count = state.active, state.count
    repeats, last = state.repeats, state.last
    if not active and consumed == ids.start:
        # the published repeat check looks at recorded tokens, the start token among them
        active, count, repeats, last = True, 0, 1, ids.start
    if not active:
        return replace(state, active=False), sampled
    repeats = repeats + 1 if sampled == last else 1
    last = sampled
    why = ""
    if count >= state.budget:
        why = "count"
    elif sampled == ids.end and count >= state.floor:
        why = "end token"
    elif "repeat" in family.exits and repeats >= 3 and count >= state.floor:
        why = "repeat"
    if why:
        # a predicted end leaves the next token to the model; a forced one does not
        queue = () if why == "end token" else ids.after_exit
        after = replace(state, active=False, count=0, repeats=0, last=-1, queue=queue, exit=why)
        return after, ids.end
    token = ids.pad if family.record == "pad" else sampled
    return replace(state, active=True, count=count + 1, repeats=repeats, last=last), token


def feeds_latent(family: Family, ids: TokenIds, state: RowState, token: int) -> bool:
    """Whether the slot recorded as ``token`` under ``state`` is fed a hidden state."""
    if not state.active:
        return False
    embeds_start = family.trigger == "sampled" and family.start_slot == "embed"
    return not (embeds_start and token == ids.start)


def opened(family: Family, budget: int) -> RowState:
    """The state before the first token."""
    least = max(1, budget) if family.start_slot == "latent" else budget
    return RowState(budget=least)
