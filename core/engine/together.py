"""Branches and scores of many runs in one batch, the parents' prompts side by side.

Branches of one run share its prompt, which is never copied (:mod:`core.engine.branching`).
Where prompts are short and runs are many, as in a study on a small model, the passes
themselves are the cost: then rows of different runs go through one pass, each with a copy of
its own prompt, padded on the left. Where such copies would need more than ``MOST_BYTES``, rows
are batched run by run with the prompt shared, as everywhere else. The results are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING

import torch

from core.engine.branching import _recompute_slots, fork_row
from core.engine.cache import BranchCache, Pairs, RowCache
from core.engine.decoding import hold
from core.engine.knockout import Cut
from core.engine.plan import Prepared
from core.engine.row import Row
from core.engine.scoring import _common, _tail
from core.engine.store import Held
from core.engine.tracing import make_trace
from core.errors import InputError
from core.families.answers import opening
from core.records import Edit, Timings, Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine

MOST_BYTES = 512 << 20
MOST_ROWS = 256

Branch = tuple[Trace, Sequence[Edit]]
Question = tuple[Trace, Sequence[str]]


@dataclass(frozen=True, eq=False)
class Asked:
    """One run's options, ready to be scored behind its first ``place`` own slots.

    Attributes:
        options: as they are named in the result.
        rests: token ids of each behind what all share.
    """

    held: Held
    options: list[str]
    rests: list[list[int]]
    place: int


def branches(
    engine: Engine, jobs: Sequence[Branch], cancel: Event | None = None
) -> list[Trace | InputError]:
    """One branch a job; the same results as one by one. Their caches are held.

    Args:
        jobs: runs with the edits of one branch.
        cancel: stops within one decode step when set.

    Returns:
        In the order of ``jobs``; where edits do not fit their run, the reason.
    """
    with engine.lock:
        out: list[Trace | InputError] = []
        places: list[int] = []
        planned: list[tuple[Held, Sequence[Edit]]] = []
        plans: list[Prepared] = []
        for place, (trace, edits) in enumerate(jobs):
            try:
                held = engine.hold(trace)
                plans.append(engine.editor(engine, held, edits))
            except InputError as error:
                out.append(error)
                continue
            out.append(InputError("not made"))
            places.append(place)
            planned.append((held, edits))
        caches = [engine.live(held).cache for held, _ in planned]
        for part in _parts(caches, [1] * len(caches)):
            made = _branch(engine, [planned[i] for i in part], [plans[i] for i in part], cancel)
            for i, child in zip(part, made, strict=True):
                out[places[i]] = child
        return out


def scores(engine: Engine, jobs: Sequence[Question]) -> list[dict[str, float] | InputError]:
    """Log-probabilities of each run's options, as :meth:`Engine.score` gives them, a job each.

    Returns:
        In the order of ``jobs``; where the options of a run cannot be scored, the reason.
    """
    with engine.lock:
        out: list[dict[str, float] | InputError] = []
        asked: list[tuple[int, Asked]] = []
        for place, (trace, options) in enumerate(jobs):
            try:
                one = prepare_scores(engine, engine.hold(trace), list(options))
            except InputError as error:
                out.append(error)
                continue
            out.append({})
            asked.append((place, one))
        caches = [engine.live(one.held).cache for _, one in asked]
        for part in _parts(caches, [len(one.options) for _, one in asked]):
            found = _score(engine, [asked[i][1] for i in part])
            for i, totals in zip(part, found, strict=True):
                out[asked[i][0]] = totals
        return out


def prepare_scores(engine: Engine, held: Held, options: Sequence[str]) -> Asked:
    """What :func:`core.engine.scoring.score_options` scores, as tokens and a place.

    Raises:
        InputError: nothing to tell apart, or the run was stopped too early.
    """
    names = list(dict.fromkeys(o.strip() for o in options if o.strip()))
    if not names:
        raise InputError("Give at least one answer option.")
    family, reader = engine.family, engine.reader
    start, written = _tail(engine, held)
    text = reader.decode(written)
    cut = opening(text, "boxed" if family.answer_format == "boxed" else "tag")
    lead = text[:cut] if cut is not None else text + family.answer_opening
    encoded = [reader.encode(lead + name + family.answer_closing) for name in names]
    shared = _common([written, *encoded])
    if shared == min(len(e) for e in encoded):
        raise InputError("The options cannot be told apart by this tokenizer.")
    place = min(start + shared, len(engine.live(held).hidden) - 1)
    if place < start:
        raise InputError("This run was stopped before an answer could be scored.")
    return Asked(held, names, [ids[place - start :] for ids in encoded], place)


def _parts(caches: Sequence[RowCache], rows: Sequence[int]) -> Iterator[list[int]]:
    """Jobs that go through one pass: few rows, and either one prompt or small ones."""
    part: list[int] = []
    count, longest, prompts = 0, 0, set[int]()
    for index, cache in enumerate(caches):
        more = count + rows[index]
        size = max(longest, cache.prompt_bytes)
        names = prompts | {id(cache.prompt)}
        if part and (more > MOST_ROWS or (len(names) > 1 and more * size > MOST_BYTES)):
            yield part
            part, more, size, names = [], rows[index], cache.prompt_bytes, {id(cache.prompt)}
        part.append(index)
        count, longest, prompts = more, size, names
    if part:
        yield part


def gathered(bases: Sequence[RowCache], lengths: Sequence[int]) -> BranchCache:
    """A batch whose row b continues ``bases[b]`` behind its first ``lengths[b]`` own slots.

    One prompt is shared; several are put side by side, padded on the left.
    """
    first = bases[0]
    cache = BranchCache(len(first.prompt), len(bases))
    cache.decoding = True
    cache.cuts = [base.cuts for base in bases]
    if all(base.prompt is first.prompt for base in bases):
        cache.prompt = first.prompt
    else:
        _side_by_side(cache, bases)
    longest = max(lengths)
    like = first.prompt[0][0].expand(len(bases), -1, -1, -1)
    cache._reserve(longest + 1, like)
    for layer, (keys, values) in enumerate(cache.own):
        for row, (base, length) in enumerate(zip(bases, lengths, strict=True)):
            if length:
                keys[row, :, :length] = base.own[layer][0][0, :, :length]
                values[row, :, :length] = base.own[layer][1][0, :, :length]
    cache.lengths = list(lengths)
    return cache


def _side_by_side(cache: BranchCache, bases: Sequence[RowCache]) -> None:
    known = {id(base.prompt): base.prompt for base in bases}
    place = {name: row for row, name in enumerate(known)}
    sizes = [prompt[0][0].shape[2] for prompt in known.values()]
    longest = max(sizes)
    device = bases[0].prompt[0][0].device
    index = torch.tensor([place[id(base.prompt)] for base in bases], device=device)
    prompt: Pairs = []
    for layer in range(len(bases[0].prompt)):
        pair = []
        for part in (0, 1):
            rows = [
                torch.nn.functional.pad(
                    p[layer][part][0], (0, 0, longest - p[layer][part].shape[2], 0)
                )
                for p in known.values()
            ]
            pair.append(torch.stack(rows).index_select(0, index))
        prompt.append((pair[0], pair[1]))
    cache.prompt = prompt
    if len(set(sizes)) > 1:
        seen = torch.arange(longest, device=device)[None]
        starts = torch.tensor([longest - size for size in sizes], device=device)[:, None]
        cache.prompt_mask = (seen >= starts).index_select(0, index)
    cache.cuts = [_shifted(base.cuts, longest) for base in bases]


def _shifted(cuts: Sequence[Cut], longest: int) -> tuple[Cut, ...]:
    """Cuts of a prompt that was padded on the left to ``longest`` slots."""
    return tuple(
        cut
        if cut.prompt is None
        else replace(
            cut, prompt=torch.nn.functional.pad(cut.prompt, (longest - len(cut.prompt), 0))
        )
        for cut in cuts
    )


def _branch(
    engine: Engine,
    planned: Sequence[tuple[Held, Sequence[Edit]]],
    plans: Sequence[Prepared],
    cancel: Event | None,
) -> list[Trace]:
    started = time.perf_counter()
    lives = [engine.live(held) for held, _ in planned]
    bases = [live.cache for live in lives]
    rows = [
        fork_row(engine, held, live, prepared.plan)
        for (held, _), live, prepared in zip(planned, lives, plans, strict=True)
    ]
    cache = gathered(bases, [prepared.plan.fork for prepared in plans])
    longest = cache.prompt[0][0].shape[2]
    copies: dict[int, RowCache] = {}
    lasts = [prepared.plan.settle_from for prepared in plans]
    for b, ((held, _), live, prepared) in enumerate(zip(planned, lives, plans, strict=True)):
        cuts = (*bases[b].cuts, *prepared.plan.cuts)
        cache.cuts[b] = _shifted(cuts, longest)
        hidden, pairs = _recompute_slots(engine, held, live, [prepared])[0]
        for place, layers in (*pairs.items(), *prepared.plan.carried.items()):
            for (own_k, own_v), (new_k, new_v) in zip(cache.own, layers, strict=True):
                own_k[b, :, place] = new_k
                own_v[b, :, place] = new_v
        for place, vector in hidden.items():
            rows[b].hidden[place + 1 : place + 2] = [vector]
        if lasts[b] is not None:
            lasts[b] = hidden.get(prepared.plan.fork - 1, lasts[b])

    def keep(row: Row, copy: Callable[[], RowCache]) -> None:
        b = next(place for place, one in enumerate(rows) if one is row)
        made = copy()
        # the parent's own prompt and its own cuts: neither copied nor padded
        cuts = (*bases[b].cuts, *plans[b].plan.cuts)
        copies[b] = RowCache(bases[b].prompt, made.own, cuts)

    loop = engine.loop(planned[0][0].processor, keep)
    for row, live, last in zip(rows, lives, lasts, strict=True):
        if last is not None:
            row.hidden = row.hidden[: row.place]  # settle records it itself
            row.before = live.hidden[row.place - 1] if row.place else None
            loop.settle([row], last[None])
    loop.run(rows, cache, cancel)
    seconds = (time.perf_counter() - started) / len(rows)
    out = []
    for b, ((held, edits), prepared, row) in enumerate(zip(planned, plans, rows, strict=True)):
        child = make_trace(
            row,
            engine.reader,
            held.trace.prompt,
            engine.name,
            engine.loaded.revision,
            Timings(0.0, seconds, len(row.tokens) - prepared.plan.fork),
            parent=held.trace,
            edits=tuple(edits),
            receipts=prepared.receipts(row.hidden),
        )
        hold(engine, child, row, copies.get(b), held.inputs, held.patches, processor=held.processor)
        out.append(child)
    return out


def _score(engine: Engine, asked: Sequence[Asked]) -> list[dict[str, float]]:
    """Every option of every run as a row of one pass."""
    passes = engine.passes
    device = passes.device
    lives = [engine.live(one.held) for one in asked]
    places = [one.place for one in asked]
    first = passes.logits(
        torch.stack([live.hidden[place] for live, place in zip(lives, places, strict=True)])
    ).log_softmax(-1)
    totals = [[float(first[job][rest[0]]) for rest in one.rests] for job, one in enumerate(asked)]
    longest = max(len(rest) for one in asked for rest in one.rests) - 1
    if longest:
        owners = [
            (job, option) for job, one in enumerate(asked) for option in range(len(one.rests))
        ]
        fed = torch.zeros(len(owners), longest, dtype=torch.long, device=device)
        for row, (job, option) in enumerate(owners):
            rest = asked[job].rests[option]
            fed[row, : len(rest) - 1] = torch.tensor(rest[:-1], device=device)
        cache = gathered(
            [lives[job].cache for job, _ in owners], [places[job] for job, _ in owners]
        )
        starts = torch.tensor(
            [asked[job].held.first_position + places[job] for job, _ in owners], device=device
        )
        positions = starts[:, None] + torch.arange(longest, device=device)
        hidden = passes.step(cache, passes.embedding(fed), positions)
        logprobs = passes.logits(hidden).log_softmax(-1)  # (rows, longest, V)
        for row, (job, option) in enumerate(owners):
            for at, token in enumerate(asked[job].rests[option][1:]):
                totals[job][option] += float(logprobs[row, at, token])
    return [
        dict(zip(one.options, total, strict=True)) for one, total in zip(asked, totals, strict=True)
    ]
