"""A session comes back as it was saved, and a save that fails changes nothing."""

import errno
import io
import json
import math
import os
import struct
import time
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RecordError
from core.records.archive import Limits, Session, load, pack, save, unpack
from core.records.edit import MODES, PARTS, Edit
from core.records.picture import fingerprint
from core.records.receipt import Dose, Receipt
from core.records.schema import CRITERIA, SPAN_ENDS, TRACE_ENDS
from core.records.settings import Settings
from core.records.span import Span
from core.records.trace import Prompt, Timings, Trace


def saved_bytes(traces, images=None, meta=None, limits=None) -> bytes:
    file = io.BytesIO()
    save(file, traces, images, meta, limits)
    return file.getvalue()


# ── generated traces ────────────────────────────────────────────────────────────────────────

COUNT = st.integers(0, 2**31 - 1)
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n\r\t"))
NAMES = st.text("abcdefghijkl-_/.:é ", min_size=1, max_size=20)
IDS = st.text("0123456789abcdefXYZ_-", min_size=1, max_size=64)
REALS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
ANGLES = st.floats(-1e30, 1e30)  # an edit refuses larger ones
POSITIVE = st.floats(0, 1e300)
RATIOS = POSITIVE | st.just(math.inf)
LOGPROBS = st.floats(-1e300, 0) | st.just(-math.inf)
SEEDS = st.integers(-(2**63), 2**64 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw, rows: int | None = None, width: int | None = None) -> torch.Tensor:
    rows = draw(st.integers(0, 3)) if rows is None else rows
    width = draw(st.integers(1, 4)) if width is None else width
    numbers = draw(st.lists(FLOAT32, min_size=rows * width, max_size=rows * width))
    return torch.tensor(numbers, dtype=torch.float32).reshape(rows, width)


EDITS = st.builds(
    Edit,
    kind=NAMES,
    steps=st.none() | st.lists(st.integers(0, 99)),
    span=st.integers(0, 9),
    mode=st.sampled_from(MODES),
    seed=SEEDS,
    dose=st.none() | st.floats(0, 1e30),
    angle=st.none() | ANGLES,
    fraction=st.none() | st.floats(0, 1),
    renorm=st.booleans(),
    order=st.none() | st.permutations(range(4)),
    count=st.none() | st.integers(0, 99),
    token=st.none() | WORDS | COUNT,
    patch=st.none() | st.tuples(COUNT, COUNT),
    text=st.none() | WORDS,
    values=st.none() | tables(),
    donor=st.none() | tables(),
    donor_id=st.none() | IDS,
    layers=st.none() | st.tuples(COUNT, COUNT),
    part=st.sampled_from(PARTS),
    source=st.none() | NAMES,
    target=st.none() | NAMES,
)


@st.composite
def traces(draw) -> Trace:
    width, lengths = draw(st.integers(1, 4)), draw(st.lists(st.integers(0, 3), max_size=3))
    spans, place = [], 0
    for length in lengths:
        place += draw(st.integers(0, 2))
        latents, hidden = draw(tables(length, width)), draw(tables(length, width))
        spans.append(Span(place, latents, hidden, draw(st.sampled_from(SPAN_ENDS))))
        place += length
    tokens = place + draw(st.integers(0, 3))

    def each(item):
        return tuple(draw(st.lists(item, min_size=tokens, max_size=tokens)))

    def doses(length: int):
        step = st.integers(0, max(length - 1, 0))
        dose = st.builds(
            Dose,
            step=step,
            epsilon=RATIOS,
            cosine=st.floats(-1, 1),
            norm_ratio=RATIOS,
            percentile=st.none() | st.floats(0, 100),
            hidden_change=st.none() | RATIOS,
        )
        return tuple(draw(st.lists(dose, max_size=2 if length else 0)))

    receipts = tuple(
        Receipt(draw(NAMES), draw(st.sampled_from(MODES)), i, doses(len(span)), draw(WORDS))
        for i, span in enumerate(spans)
    )
    pairs = st.lists(st.tuples(COUNT, LOGPROBS), max_size=3).map(tuple)
    edits = tuple(draw(st.lists(EDITS, max_size=2)))
    return Trace(
        prompt=Prompt(
            question=draw(WORDS),
            system=draw(st.none() | WORDS),
            text=draw(WORDS),
            image_hash=draw(st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64)),
            image_size=draw(st.tuples(COUNT, COUNT)),
            grid=draw(st.tuples(COUNT, COUNT)),
            input_ids=tuple(draw(st.lists(COUNT, max_size=4))),
        ),
        family=draw(NAMES),
        model=draw(NAMES),
        settings=Settings(
            budget=draw(st.none() | st.integers(0, 99)),
            force_latents=draw(st.booleans()),
            forbid_latents=draw(st.booleans()),
            seed=draw(SEEDS),
            temperature=draw(POSITIVE),
            top_p=draw(st.floats(0, 1)),
            top_k=draw(COUNT),
            max_new_tokens=draw(COUNT),
            strategy=draw(st.none() | NAMES),
            end_threshold=draw(REALS),
            criterion=draw(st.sampled_from(CRITERIA)),
            dtype=draw(NAMES),
            attention=draw(NAMES),
            device=draw(NAMES),
        ),
        token_ids=each(COUNT),
        sampled_ids=each(COUNT),
        pieces=each(WORDS),
        spans=tuple(spans),
        logprobs=each(LOGPROBS),
        top=(draw(st.booleans()) and each(pairs)) or (),
        text=draw(WORDS),
        answer=draw(st.none() | WORDS),
        answer_problem=draw(st.none() | WORDS),
        imagined=draw(st.none() | st.just((0, tokens))),
        ended_by=draw(st.sampled_from(TRACE_ENDS)),
        revision=draw(st.none() | NAMES),
        option_scores=tuple(draw(st.lists(st.tuples(WORDS, LOGPROBS), max_size=2))),
        timings=Timings(draw(POSITIVE), draw(POSITIVE), draw(COUNT)),
        edits=edits,
        receipts=receipts,
        parent=draw(st.none() | st.just("elsewhere")),
        lineage=(tuple(draw(st.lists(EDITS, max_size=1))), edits),
        id=draw(IDS.filter(lambda i: i != "elsewhere")),
    )


class TestRoundTrip:
    def test_every_field_comes_back(self, family, picture, saved, same):
        session = load(saved)
        assert isinstance(session, Session)
        assert len(session.traces) == 2
        assert all(map(same, session.traces, family))
        assert list(session.images) == [fingerprint(picture)]
        assert session.images[fingerprint(picture)].tobytes() == picture.tobytes()
        assert session.meta == {"title": "Cup", "steps": [1, 2.5, None]}

    def test_the_example_leaves_no_field_at_its_default(self, family):
        # else a field that is never written would come back right by chance
        parent, child = family
        for record in (parent.prompt, parent.settings, parent.timings, parent.spans[0]):
            for field in fields(record):
                if field.name != "forbid_latents":  # forbidden and forced cannot both be
                    assert getattr(record, field.name) != field.default, field.name
        for field in fields(Trace):
            if field.name != "logits":
                assert any(getattr(t, field.name) != field.default for t in family), field.name
        for field in fields(Edit):
            values = [getattr(edit, field.name) for edit in child.edits]
            unset = [isinstance(v, type(field.default)) and v == field.default for v in values]
            assert not all(unset), field.name

    def test_logits_stay_behind(self, family):
        plain, _ = pack(family[1])
        assert family[1].logits is not None
        assert set(plain) == {field.name for field in fields(Trace)} - {"logits"}
        assert load(saved_bytes(family)).traces[1].logits is None

    @settings(max_examples=60, deadline=None)
    @given(trace=traces())
    def test_generated_traces(self, trace, same):
        assert same(unpack(*pack(trace)), trace)
        assert same(load(saved_bytes([trace])).traces[0], trace)

    def test_from_a_path_and_from_an_open_file(self, tmp_path, family, same):
        path = tmp_path / "a session.zscope"
        save(path, family)
        for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
            assert same(load(source).traces[0], family[0])

    def test_nothing_at_all(self):
        session = load(saved_bytes([]))
        assert (session.traces, session.images, session.meta) == ((), {}, {})

    def test_the_same_session_gives_the_same_bytes(self, family):
        assert saved_bytes(family) == saved_bytes(family)

    def test_tensors_are_stored_once(self, family):
        parent, child = family
        _, tensors = pack(child)
        # latents and hidden states of two spans, one donor and one value: the other donor is
        # the first span, and the lineage repeats the edits
        assert len(tensors) == 2 * 2 + 2
        many = [parent, *(replace(child, id=f"c{i}") for i in range(20))]
        with zipfile.ZipFile(io.BytesIO(saved_bytes(many))) as archive:
            (header,) = struct.unpack("<Q", archive.read("tensors.safetensors")[:8])
            names = json.loads(archive.read("tensors.safetensors")[8 : 8 + header])
        assert names.keys() == tensors.keys()

    def test_slices_of_one_storage(self, same, family):
        big = torch.randn(100, 8)
        spans = (Span(0, big[10:12, :4], big[20:22, ::2], "count"),)
        trace = replace(family[0], spans=spans)
        assert same(load(saved_bytes([trace])).traces[0], trace)

    def test_a_span_cut_before_its_first_latent(self, same, family):
        trace = replace(
            family[0], spans=(Span(2, torch.zeros(0, 4), torch.zeros(0, 4), "cancelled"),)
        )
        assert same(load(saved_bytes([trace])).traces[0], trace)

    def test_markup_is_kept_and_unshowable_characters_are_not(self, family):
        nasty = "<script>alert(1)</script>\x00\x1b[2J\ud800\x85ok\r\n\t"
        session = load(saved_bytes([replace(family[0], text=nasty)], meta={"note": nasty}))
        expected = "<script>alert(1)</script>\ufffd\ufffd[2J\ufffd\ufffdok\r\n\t"
        assert session.traces[0].text == session.meta["note"] == expected

    def test_many_alike_runs_do_not_look_like_a_bomb(self, family):
        words = tuple("over and over " * 40 for _ in family[0].pieces)
        alike = [replace(family[0], pieces=words, id=f"r{i}") for i in range(400)]
        data = saved_bytes(alike)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.getinfo("session.json").compress_type == zipfile.ZIP_STORED
        assert len(load(data).traces) == 400


class TestWhatCannotBeSaved:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"token_ids": (1,)}, "sampled_ids has 7 values for 1 tokens"),
            ({"text": 3}, "traces[0].text is 3, not a text"),
            ({"answer": {1}}, "answer is a set"),
            ({"logprobs": (0.0,) * 6 + (math.nan,)}, "logprobs[6] is nan"),
            ({"logprobs": (0.0,) * 6 + (math.inf,)}, "logprobs[6]"),
            ({"logprobs": (0.0,) * 6 + (np.float32(0.5),)}, "logprobs[6] is a float32"),
            ({"token_ids": (10**400,) + (0,) * 6}, "more than 20 digits"),
            ({"id": "../up"}, "traces[0].id"),
        ],
    )
    def test_is_told_by_name(self, family, change, told):
        with pytest.raises(RecordError, match="cannot be saved") as caught:
            saved_bytes([replace(family[0], **change)])
        assert told in str(caught.value)

    def test_tensors_that_are_not_finite_float32(self, family):
        good = torch.ones(1, 4)
        for bad, told in (
            (torch.full((1, 4), math.nan), "not finite"),
            (torch.full((1, 4), -math.inf), "not finite"),
            (torch.ones(1, 4, dtype=torch.float16), "float16"),
            (torch.ones(2, 4), "(2, 4)"),
            (torch.ones(1, 4, 1), "neither one vector nor a table"),
        ):
            with pytest.raises(RecordError) as caught:
                saved_bytes([replace(family[0], spans=(Span(0, good, bad, "count"),))])
            assert told in str(caught.value)

    def test_meta_that_is_not_json(self):
        deep: list = []
        for _ in range(50):
            deep = [deep]
        for bad in ({"a": math.nan}, {"a": {1: 2}}, {"a": object()}, {"a": 2**64}, {"a": deep}):
            with pytest.raises(RecordError, match="meta"):
                saved_bytes([], meta=bad)

    def test_a_picture_under_another_name(self, picture):
        with pytest.raises(RecordError, match="not the one that name was made from"):
            saved_bytes([], {"0" * 64: picture})

    def test_what_would_not_open_under_the_limits(self, family, picture):
        images = {fingerprint(picture): picture}
        for small, told in (
            (Limits(traces=1), "2 traces"),
            (Limits(latents=2), "2 are allowed"),
            (Limits(width=3), "4 dimensions"),
            (Limits(tokens=6), "6 are allowed"),
            (Limits(string=5), "longer than 5 characters"),
            (Limits(json_bytes=100), "longer than 100 bytes"),
            (Limits(json_values=10), "more than 10 values"),
            (Limits(entries=2), "3 files"),
            (Limits(entry_bytes=1000), "bytes in one file"),
            (Limits(image_pixels=14), "15 pixels in one picture"),
        ):
            with pytest.raises(RecordError) as caught:
                saved_bytes(family, images, limits=small)
            assert told in str(caught.value)


class TestAtomicity:
    def full(self, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @pytest.mark.parametrize("step", ["fsync", "replace"])
    def test_a_full_disk_leaves_the_old_file(self, tmp_path, monkeypatch, family, step):
        path = tmp_path / "mine.zscope"
        save(path, family[:1])
        before = path.read_bytes()
        monkeypatch.setattr(os, step, self.full)
        with pytest.raises(RecordError, match=r"“mine.zscope” could not be written \(No space"):
            save(path, family)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["mine.zscope"]

    def test_an_interrupt_in_the_middle_leaves_the_old_file(self, tmp_path, monkeypatch, family):
        path = tmp_path / "mine.zscope"
        save(path, family[:1])
        before = path.read_bytes()
        real = zipfile.ZipFile.writestr

        def interrupted(self, info, data, **options):
            if info.filename != "session.json":
                raise KeyboardInterrupt
            real(self, info, data, **options)

        monkeypatch.setattr(zipfile.ZipFile, "writestr", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save(path, family)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["mine.zscope"]

    def test_a_trace_that_cannot_be_saved_leaves_the_old_file(self, tmp_path, family):
        path = tmp_path / "mine.zscope"
        save(path, family)
        before = path.read_bytes()
        with pytest.raises(RecordError):
            save(path, [replace(family[0], text=None)])
        assert path.read_bytes() == before

    def test_no_such_folder(self, tmp_path, family):
        with pytest.raises(RecordError, match="No such file or directory"):
            save(tmp_path / "nowhere" / "mine.zscope", family)

    def test_a_link_stays_a_link(self, tmp_path, family):
        target, link = tmp_path / "target.zscope", tmp_path / "link.zscope"
        save(target, [])
        link.symlink_to(target)
        save(link, family)
        assert link.is_symlink()
        assert len(load(target).traces) == 2

    def test_readable_by_whom_the_umask_lets(self, tmp_path):
        before = os.umask(0o027)
        try:
            save(tmp_path / "mine.zscope", [])
        finally:
            os.umask(before)
        assert (tmp_path / "mine.zscope").stat().st_mode & 0o777 == 0o640


def test_a_hundred_runs_of_a_large_model_take_well_under_two_seconds(tmp_path, family):
    draw = torch.Generator().manual_seed(0)

    def run(index: int) -> Trace:
        latents, hidden = torch.randn(2, 10, 3584, generator=draw)
        edits = (Edit("swap", donor=latents),)
        return replace(
            family[0],
            token_ids=tuple(range(64)),
            sampled_ids=tuple(range(64)),
            pieces=("piece",) * 64,
            logprobs=(-0.123456789,) * 64,
            top=(tuple((i, -i / 7) for i in range(5)),) * 64,
            spans=(Span(1, latents, hidden, "count"),),
            edits=edits,
            lineage=(edits,),
            id=f"run{index}",
        )

    runs = [run(index) for index in range(100)]
    path = tmp_path / "big.zscope"
    start = time.process_time()
    save(path, runs)
    middle = time.process_time()
    session = load(path)
    stop = time.process_time()
    assert path.stat().st_size < 1.1 * 100 * 2 * 10 * 3584 * 4
    assert torch.equal(session.traces[99].spans[0].latents, runs[99].spans[0].latents)
    print(f"saved in {middle - start:.2f} s, loaded in {stop - middle:.2f} s")
    assert stop - start < 2
