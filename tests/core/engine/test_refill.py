"""A row that ends gives its place to the next: the same answers, and no place stays empty."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.engine import Engine, packing, together
from core.engine.cache import BranchCache, RowCache
from core.engine.knockout import Cut
from core.engine.packing import Load, queued
from core.engine.prompts import batched
from core.engine.seating import Seat, join, seat
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.jobs import loads
from tests.core.engine.scripts import Saying
from tests.core.engine.test_cached_decode import LATENT, QUESTIONS, difference
from tests.core.engine.test_captured import decoded
from tests.core.engine.test_runs_side_by_side import After

LONG, SHORT = "xSxxxxxxxxxxxxxxxxxx", "xSxxxQ"
SCRIPTS = [SHORT, LONG, "xSxxxxxQ", SHORT, "xSxxxxxxxxxxxQ", LONG, SHORT, "xSxxxxxxxQ"]
EDIT = [Edit("gaussian", steps=[1], dose=0.8)]
KEEP = [Edit("identity")]
MODES = ["eager", "static"]


@contextmanager
def widest(most: int) -> Iterator[list[list[int]]]:
    """Batches of at most so many rows; what they held at every step, own slots a row."""
    seen: list[list[int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "WIDEST", {"cpu": most})
        usual = BranchCache.advance

        def advance(self: BranchCache, fresh: int) -> None:
            usual(self, fresh)
            if fresh == 1:
                seen.append(list(self.lengths))

        patch.setattr(BranchCache, "advance", advance)
        yield seen


def parents(engine: Engine) -> list[Trace]:
    """Runs of very different lengths on different prompts."""
    inputs = batched([engine.prompt(*question).inputs for question in QUESTIONS])
    processor = Saying(engine, inputs["input_ids"], SCRIPTS)
    made = engine.decode(inputs, logits_processor=processor, max_new_tokens=20, budget=3)
    return list(made)


def same(engine: Engine, one: Trace, other: Trace) -> None:
    assert one.token_ids == other.token_ids
    assert one.ended_by == other.ended_by
    assert difference(engine.logits(one), engine.logits(other)) <= 1e-4
    for a, b in zip(one.spans, other.spans, strict=True):
        assert difference(a.latents, b.latents) <= 1e-4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("edit", [EDIT, [Edit("gaussian", steps=[1], dose=0.8, mode="cached")]])
def test_branches_of_many_runs(lab: Lab, mode: str, edit: list[Edit]) -> None:
    engine = lab("monet-sft")
    runs = parents(engine)
    alone = [engine.branch(run, edit) for run in runs]
    with widest(3) as seen, ExitStack() as more:
        if mode == "static":
            captured = more.enter_context(decoded(engine, mode))
        many = together.branches(engine, [(run, edit) for run in runs])
        assert mode == "eager" or len(captured) > 0
    for one, other in zip(alone, many, strict=True):
        assert isinstance(other, Trace)
        same(engine, one, other)
    assert {len(lengths) for lengths in seen} <= {1, 2, 3}
    # a full batch to the end of the queue: no more steps than the slots need, and the longest
    fed = [len(t.token_ids) - 1 - 2 for t in alone]  # behind the fork at the second latent
    assert len(seen) <= sum(fed) // 3 + max(fed) + 1
    assert any(len(set(lengths)) > 1 for lengths in seen)


@pytest.mark.parametrize("mode", MODES)
def test_branches_of_one_run(lab: Lab, mode: str) -> None:
    engine = lab("monet")
    trace = engine.run(*QUESTIONS[1], budget=3, force_latents=True, max_new_tokens=14)
    lists = [[Edit("gaussian", steps=[step], dose=d)] for d in (0.4, 1.5) for step in range(3)]
    lists.append([Edit("knockout", source="answer", target="latents")])
    lists.append([Edit("truncate", count=1)])
    alone = [engine.branch(trace, edits) for edits in lists]
    with widest(3) as seen, ExitStack() as more:
        if mode == "static":
            more.enter_context(decoded(engine, mode))
        many = engine.branches(trace, lists, keep=True)
    assert max(len(lengths) for lengths in seen) == 3
    for one, other in zip(alone, many, strict=True):
        same(engine, one, other)
        assert (
            engine.live(engine.hold(other)).cache.prompt
            is engine.live(engine.hold(trace)).cache.prompt
        )
        same(engine, engine.branch(one, KEEP), engine.branch(other, KEEP))


@pytest.mark.parametrize(
    ("family", "mode"),
    [*((name, "eager") for name in LATENT), ("monet", "static"), ("lvr", "static")],
)
def test_questions(lab: Lab, family: str, mode: str) -> None:
    engine = lab(family)
    say, end = engine.reader.encode("the")[0], engine.ids.eos[0]
    lead = list(engine.forced_start().values())
    begins = [[*lead, *[say] * n, end] for n in (9, 14, 30, 10, 22, 9, 12, 18)]
    options: dict[str, Any] = {"budget": 3, "max_new_tokens": 26}
    alone = [
        engine.run_many([q], begins=[b], **options)[0]
        for q, b in zip(QUESTIONS, begins, strict=True)
    ]
    assert len({len(trace.token_ids) for trace in alone}) > 3
    with widest(3) as seen, ExitStack() as more:
        if mode == "static":
            more.enter_context(decoded(engine, mode))
        many = engine.run_many(QUESTIONS, begins=begins, **options)
    assert max(len(lengths) for lengths in seen) == 3
    for one, other in zip(alone, many, strict=True):
        assert one.prompt == other.prompt
        same(engine, one, other)
        same(engine, engine.branch(one, KEEP), engine.branch(other, KEEP))


def test_who_waits_when_all_is_stopped_keeps_what_it_has(lab: Lab) -> None:
    engine = lab("monet-sft")
    runs = parents(engine)
    alone = [engine.branch(run, EDIT) for run in runs]
    with widest(2) as seen:
        one_run = engine.branches(runs[1], [EDIT] * 5, cancel=After(3), keep=True)
        stopped = Event()
        stopped.set()
        many = together.branches(engine, [(run, EDIT) for run in runs], cancel=stopped)
    assert len(seen) == 3  # those of the first call; the second feeds nobody
    assert [child.ended_by for child in one_run] == ["cancelled"] * 5
    for child in one_run:
        assert child.token_ids == alone[1].token_ids[: len(child.token_ids)]
    assert len({len(child.token_ids) for child in one_run}) == 2
    for child, full in zip(many, alone, strict=True):
        assert isinstance(child, Trace)
        assert child.ended_by == "cancelled"
        assert child.token_ids == full.token_ids[: len(child.token_ids)]


def prompt(length: int, seed: int) -> RowCache:
    draw = torch.Generator().manual_seed(seed)
    pairs = [tuple(torch.randn(1, 2, length, 4, generator=draw) for _ in "kv") for _ in range(2)]
    own = [tuple(torch.randn(1, 2, 3, 4, generator=draw) for _ in "kv") for _ in range(2)]
    return RowCache(pairs, own)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [3, 5, 9])
def test_a_place_holds_what_its_new_row_continues_and_the_others_theirs(length: int) -> None:
    from core.engine.gathering import gathered

    bases = [prompt(5, 1), prompt(4, 2)]
    cut = Cut((0, -1), prompt=torch.tensor([True, False, False, True]))
    cache = gathered(bases, [2, 3])
    cache.cuts[1] = (Cut((0, -1), prompt=torch.tensor([False, True, False, False, True])),)
    before = [cache.row(0), cache.row(1)]
    new = prompt(length, 3)
    seat(cache, 0, Seat(None, new, 1, (Cut((0, -1), prompt=torch.ones(length) > 0),)))  # type: ignore[arg-type]
    for held, wanted, count in ((cache.row(0), new, 1), (cache.row(1), before[1], 3)):
        assert all(
            torch.equal(a, b)
            for x, y in zip(held.prompt, wanted.prompt, strict=True)
            for a, b in zip(x, y, strict=True)
        )
        assert held.length == count
        assert all(
            torch.equal(a, b[:, :, :count])
            for x, y in zip(held.own, wanted.own, strict=True)
            for a, b in zip(x, y, strict=True)
        )
    whole = cache.prompt[0][0].shape[2]
    (mine,), (theirs,) = cache.cuts
    assert mine.prompt is not None
    assert mine.prompt.tolist() == [False] * (whole - length) + [True] * length
    assert theirs.prompt is not None
    assert theirs.prompt.tolist()[-4:] == cut.prompt.tolist()  # type: ignore[union-attr]


def equal(one: RowCache, other: RowCache, count: int) -> bool:
    pairs = [
        *zip(one.prompt, other.prompt, strict=True),
        *zip(one.own, [(k[:, :, :count], v[:, :, :count]) for k, v in other.own], strict=True),
    ]
    return all(torch.equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("length", [3, 5, 9])
@pytest.mark.parametrize("others", [[5, 4], [5, 5], [4], [5, 4, 0], [0, 0]])
def test_who_joins_a_batch_has_a_place_of_its_own_and_the_others_keep_theirs(
    length: int, others: list[int]
) -> None:
    from core.engine.gathering import gathered

    bases = [prompt(size or 6, n if size else 0) for n, size in enumerate(others, 1)]
    if others == [0, 0]:  # rows that share one prompt
        bases = [bases[0], RowCache(bases[0].prompt, prompt(6, 7).own)]
    cache = gathered(bases, [min(2 + n, 3) for n in range(len(bases))])
    if others == [5, 4, 0]:  # the last that is left of a padded batch is padded
        cache.keep([1])
        bases = bases[1:2]
    before = [cache.row(n) for n in range(cache.rows)]
    new = prompt(length, 9)
    join(cache, Seat(None, new, 1, (Cut((0, -1), prompt=torch.ones(length) > 0),)))  # type: ignore[arg-type]
    assert cache.rows == len(bases) + 1 == len(cache.lengths) == len(cache.cuts)
    for n, held in enumerate(before):
        assert equal(cache.row(n), held, held.length)
    assert equal(cache.row(len(bases)), new, 1)
    assert len(set(cache.editions)) > 1  # a captured step sees that its prompt is new
    cut = cache.cuts[-1][0].prompt
    assert cut is not None
    assert cut.tolist()[-length:] == [True] * length
    assert not any(cut.tolist()[:-length])


@settings(deadline=None, max_examples=60)
@given(loads(), st.integers(100, 20_000), st.integers(1, 16))
def test_every_job_is_in_one_queue_whose_rows_fit(
    jobs: list[Load], most_bytes: int, most_rows: int
) -> None:
    found = queued(jobs, 2, most_bytes, most_rows)
    assert sorted(i for queue in found for i in queue.order) == list(range(len(jobs)))
    assert found == queued(jobs, 2, most_bytes, most_rows)
    for queue in found:
        its = [jobs[i] for i in queue.order]
        assert 1 <= queue.width <= min(most_rows, len(its))
        assert its[0].prompt == max(job.prompt for job in its)
        assert min(job.prompt for job in its) >= packing.ALIKE * its[0].prompt
        if queue.width > 1:
            names = {job.shares for job in its}
            copies = 1 if len(names) == 1 and None not in names else queue.width
            slots = copies * its[0].prompt + queue.width * max(job.steps for job in its)
            assert 2 * slots <= most_bytes


def test_who_shares_a_prompt_goes_apart_where_copies_would_take_the_room() -> None:
    jobs = [Load(1, 1000, 10, shares=n % 2) for n in range(6)]
    apart = queued(jobs, 1, 1100, 64)
    assert [(queue.order, queue.width) for queue in apart] == [((0, 2, 4), 3), ((1, 3, 5), 3)]
    (one,) = queued(jobs, 1, 10_000, 64)
    assert one.width == 6


def test_the_longest_come_first_and_short_ones_fill_the_end() -> None:
    jobs = [Load(1, 100, 5), Load(1, 100, 50), Load(1, 98, 90), Load(1, 20, 7)]
    assert [queue.order for queue in queued(jobs, 1, 10_000, 2)] == [(1, 0, 2), (3,)]


def test_the_picture_of_a_question_that_waited_is_there(lab: Lab) -> None:
    engine = lab("monet")
    options: dict[str, Any] = {"budget": 2, "force_latents": True, "max_new_tokens": 5}
    pictures = [tiny.picture(n, (84, 56)) for n in range(3)]
    with widest(1):
        many = engine.run_many([(picture, "Where?") for picture in pictures], **options)
    for picture, trace in zip(pictures, many, strict=True):
        single = engine.run(picture, "Where?", **options)
        assert trace.prompt == single.prompt
        assert difference(engine.patches(trace), engine.patches(single)) <= 1e-4
