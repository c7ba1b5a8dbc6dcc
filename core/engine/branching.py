"""Forking a run: the cache before the first edited step is shared, the rest decoded anew.

All branches of one call are rows of one batch. A row is brought to the point where it parts
from its parent in one of two ways: the next slot is known and is fed (content edits), or the
next token has to be chosen from a hidden state that is known (gate edits, ``cached`` mode).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING

from torch import Tensor

from core.engine.cache import RowCache
from core.engine.machine import opened
from core.engine.packing import Load, queues
from core.engine.plan import Plan, Prepared
from core.engine.row import Row
from core.engine.seating import Seat, batch
from core.engine.slots import recompute_slots
from core.engine.standing import Standing
from core.engine.store import Held, Live
from core.records import Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine


@dataclass(frozen=True, eq=False)
class Fork:
    """A branch that can be decoded.

    Attributes:
        seat: its row, and what that continues.
        plan: what it is made for.
        held: the parent.
        parent: the parent's cache.
        last: the hidden state (D,) its next token is chosen from, None where that is known.
    """

    seat: Seat
    plan: Prepared
    held: Held
    parent: RowCache
    last: Tensor | None

    @property
    def load(self) -> Load:
        """What it is expected to take."""
        prompt = self.seat.base.prompt
        return Load(1, int(prompt[0][0].shape[2]), len(self.held.trace.token_ids), id(prompt))

    def kept(self, copy: RowCache) -> RowCache:
        """A copy of its row's cache behind its own prompt, which was padded in the batch."""
        return RowCache(self.seat.base.prompt, copy.own, self.seat.cuts)


def forks(
    engine: Engine, held: Held, plans: Sequence[Prepared], replay: Trace | None = None
) -> list[Fork]:
    """Branches of one run, their exchanged slots computed, their next tokens not yet chosen."""
    live = engine.live(held)
    out = []
    for prepared, (hidden, pairs) in zip(
        plans, recompute_slots(engine, held, live, plans), strict=True
    ):
        plan = prepared.plan
        base = live.cache if plan.prompt is None else replace(live.cache, prompt=plan.prompt)
        row = fork_row(engine, held, live, plan, replay)
        for place, vector in hidden.items():
            row.hidden[place + 1 : place + 2] = [vector]
        last = plan.settle_from
        if last is not None:
            last = hidden.get(plan.fork - 1, last)
            row.hidden = row.hidden[: row.place]  # settling records it itself
            row.before = live.hidden[row.place - 1] if row.place else None
        cuts = (*base.cuts, *plan.cuts)
        seat = Seat(row, base, plan.fork, cuts, {**pairs, **plan.carried})
        out.append(Fork(seat, prepared, held, live.cache, last))
    return out


def decode_forks(
    engine: Engine,
    begun: Sequence[Fork],
    on_end: Callable[[Row, Callable[[], RowCache]], None],
    cancel: Event | None = None,
) -> None:
    """Decode every branch to its end, as many at a time as there is room for.

    Args:
        begun: branches of any runs that were asked under the same logits processors.
        on_end: may copy a row's cache, which is handed over behind its own prompt.
        cancel: stops within one step when set.
    """
    by_row = {id(fork.seat.row): fork for fork in begun}

    def keep(row: Row, copy: Callable[[], RowCache]) -> None:
        on_end(row, lambda: by_row[id(row)].kept(copy()))

    loop = engine.loop(begun[0].held.processor, keep)
    for fork in begun:
        if fork.last is not None:
            loop.settle([fork.seat.row], fork.last[None])
    for queue in queues(engine.passes, [fork.load for fork in begun]):
        seats = [begun[i].seat for i in queue.order]
        first, waiting = seats[: queue.width], iter(seats[queue.width :])
        loop.run([seat.row for seat in first], batch(first), cancel, waiting)


def fork_row(
    engine: Engine, held: Held, live: Live, plan: Plan, replay: Trace | None = None
) -> Row:
    """The parent's row cut back to where ``plan`` begins.

    Args:
        replay: a branch that is made again: what it drew is drawn, where it was stopped the
            row stops.
    """
    trace = held.trace
    forced = dict(enumerate(replay.sampled_ids)) if replay is not None else {}
    # with a hidden state to settle from, place `fork` is still to be chosen; otherwise the
    # parent's token stands there and its slot is what is fed next
    known = plan.fork if plan.settle_from is not None else plan.fork + 1
    first = opened(engine.family, trace.settings.budget or 0)
    state = live.states[known - 1] if known else first
    row = Row(
        engine.family,
        engine.ids,
        trace.settings,
        state,
        list(trace.prompt.input_ids),
        held.padded_ids,
        held.first_position,
        plan=plan,
        forced={place: token for place, token in forced.items() if place >= known},
        limit=stopped_at(replay),
        standing=live.standing.under(plan, trace.spans),
        tokens=list(trace.token_ids[:known]),
        sampled=list(trace.sampled_ids[:known]),
        states=list(live.states[:known]),
        hidden=list(live.hidden[:known]),
        vectors={p: v for p, v in live.vectors.items() if p < plan.fork},
        logprobs=list(trace.logprobs[:known]),
        top=list(trace.top[:known]),
        usual_budget=first.budget,
    )
    spans_before = [s for s in trace.spans if s.start < plan.fork]
    row.span = len(spans_before) - 1
    if spans_before:
        row.step = min(plan.fork, spans_before[-1].stop) - spans_before[-1].start - 1
    row.exits = {
        index: span.ended_by for index, span in enumerate(trace.spans) if span.stop < known
    }
    if plan.settle_from is None:
        row.pending = live.vectors.get(plan.fork)
        row.before = live.hidden[plan.fork]
        if plan.fork in plan.script:
            _script_first(engine, row, plan)
    _stand(row, live, plan, trace)
    return row


def _stand(row: Row, live: Live, plan: Plan, trace: Trace) -> None:
    """Put in force what earlier edits and this plan hold from the fork on."""
    if plan.gone is not None or not plan.inherits:
        return
    if plan.prompt is not None:
        row.standing = _behind(row.standing, live, plan, trace)
    standing = row.standing
    open_ = next((i for i, s in enumerate(trace.spans) if s.start <= plan.fork < s.stop), None)
    if plan.budget is not None and open_ is not None:
        length = plan.budget, plan.floor or 0
        row.standing = replace(standing, lengths={**standing.lengths, open_: length})
    elif plan.patches:
        edited = {p: v.to(live.hidden[0]) for p, v in plan.slots.items()}
        span = next(i for i, s in enumerate(trace.spans) if s.stop == plan.fork)
        start = trace.spans[span].start
        row.vectors.update(edited)
        row.standing = replace(
            standing,
            put={**standing.put} | {(span, p - start): v for p, v in edited.items()},
            clean={span: live.cache} | dict(standing.clean),
            # what stands behind an exchanged slot was not decoded behind it
            apart=standing.apart | set(range(min([*plan.slots, *plan.carried]), plan.fork)),
            carried=(standing.carried - set(plan.slots)) | set(plan.carried),
        )
    elif plan.holds:
        row.standing = replace(standing, script={**standing.script, **plan.script})
    bounds = row.standing.lengths.get(open_) if open_ is not None else None
    if open_ is not None and bounds is None and row.standing.script:
        # steps between the fork and the first held one may not end the span
        bounds = row.state.budget, len(trace.spans[open_])
    if bounds is not None and row.pending is not None:
        start = trace.spans[open_].start if open_ is not None else 0
        for place in range(start, len(row.states)):
            row.states[place] = replace(row.states[place], budget=bounds[0], floor=bounds[1])
        row.state = row.states[-1]


def _behind(standing: Standing, live: Live, plan: Plan, trace: Trace) -> Standing:
    """What stands behind a prompt that was changed."""
    if plan.fed:
        return replace(standing, prompt={**standing.prompt, **plan.fed})
    # exchanged under the slots that stand behind: no decoding gives these again
    clean = dict.fromkeys(range(len(trace.spans)), live.cache) | dict(standing.clean)
    return replace(standing, clean=clean, apart=standing.apart | set(range(plan.fork)))


def _script_first(engine: Engine, row: Row, plan: Plan) -> None:
    """Put the scripted token in the place of the parent's at the fork itself."""
    scripted = plan.script[plan.fork]
    logprobs = engine.passes.logits(row.hidden[-1][None]).log_softmax(-1)[0]
    row.logprobs[-1] = float(logprobs[scripted.token])
    row.tokens[-1], row.sampled[-1] = scripted.token, scripted.sampled
    row.state = row.states[-1] = scripted.state
    row.pending = scripted.vector


def stopped_at(replay: Trace | None) -> int | None:
    """How many tokens a run had said when it was stopped; None when it came to its end."""
    if replay is None or replay.ended_by != "cancelled":
        return None
    return len(replay.token_ids)
