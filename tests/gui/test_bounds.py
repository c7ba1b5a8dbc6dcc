import io
from dataclasses import fields, replace

import pytest
from PIL import Image

from core.errors import ImageError
from core.records import Edit
from gui import acts, asking
from gui.bounds import Bounds, OutOfBounds
from gui.endpoints import Endpoints
from gui.visits import Visit
from tests.gui.fake_engine import painted

SMALL = Bounds(
    upload=1, pixels=1, question=40, options=2, latents=8, tokens=16, branches=3, edits=2, sweep=4
)


@pytest.fixture
def small(workshop):
    visit = Visit(bounds=SMALL)
    acts.open_example(visit, workshop, 0)
    return visit


def test_a_hosted_copy_starts_smaller_and_expires():
    here, hosted = Bounds(), Bounds.hosted()
    for one in fields(Bounds):
        if one.name not in ("idle", "together"):
            assert 0 < getattr(hosted, one.name) <= getattr(here, one.name)
    assert here.idle == 0 < hosted.idle


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (lambda b: b.check_upload(1_600_000), "The file has 2 MB; at most 1 MB"),
        (lambda b: b.check_question("x" * 41), "question has 41 characters; at most 40"),
        (lambda b: b.check_question("x", "y" * 41), "system text has 41 characters"),
        (lambda b: b.check_options(["a", "b", "c"]), "3 answer options; at most 2"),
        (lambda b: b.check_run(9), "9 latents a span; at most 8"),
        (lambda b: b.check_run(None, 17.0), "tokens; at most 16"),
        (lambda b: b.check_edits([1, 2, 3]), "3 edits at once; at most 2"),
        (lambda b: b.check_edit_counts([Edit("truncate", count=9)]), "9 latents"),
        (lambda b: b.check_sweep(5), "5 cells; at most 4"),
    ],
)
def test_every_limit_has_its_sentence(check, sentence):
    with pytest.raises(OutOfBounds, match=sentence) as caught:
        check(SMALL)
    said = str(caught.value)
    assert said.endswith(".")
    assert said.count(". ") == 0
    check(replace(Bounds(), upload=50))  # the same on one's own machine is nothing unusual


def test_the_page_holds_to_them(small, workshop):
    for question, settings in (
        ("x" * 41, {}),
        ("What?", {"budget": 9}),
        ("What?", {"max_new_tokens": 17}),
    ):
        with pytest.raises(OutOfBounds):
            list(asking.ask(small, workshop, question, **settings))
    small.options = ("a", "b", "c")
    with pytest.raises(OutOfBounds, match="answer options"):
        list(asking.ask(small, workshop, "What?"))
    small.options = ()
    with pytest.raises(OutOfBounds, match="edits at once"):
        acts.apply(small, workshop, small.baseline, [Edit("zero")] * 3)


def test_branches_beyond_the_limit_give_way(small, workshop):
    for seed in range(5):
        acts.apply(small, workshop, small.baseline, [Edit("gaussian", dose=1.0, seed=seed)])
    assert len(small.branches) == 3
    assert small.base in small.branches
    assert small.shown in small.branches


def test_a_picture_is_measured_before_it_is_decoded(small, tmp_path, monkeypatch):
    bomb = io.BytesIO()
    Image.new("1", (1100, 1000)).save(bomb, "PNG")
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb.getvalue())
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ImageError, match=r"1 million pixels; at most 1 million"):
        acts.open_picture(small, str(path), str(tmp_path))
    assert not path.exists()


def test_an_upload_is_not_kept_on_the_disk(small, tmp_path):
    path = tmp_path / "upload.png"
    painted("blue").save(path)
    acts.open_picture(small, str(path), str(tmp_path))
    assert small.image.size == (448, 448)
    assert not path.exists()


def test_a_file_that_would_start_another_program_is_no_picture(small, tmp_path):
    path = tmp_path / "picture.eps"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(ImageError, match="not a picture"):
        acts.open_picture(small, str(path), str(tmp_path))


def test_programs_are_held_to_the_same(workshop):
    class Shelf:
        name, gallery, models = "stand-in", workshop.items, {}

        def get(self, name):
            return workshop

    api = Endpoints(Shelf(), SMALL)
    api.answering.models = lambda: ["stand-in"]
    calls = [
        lambda: api.run(example=1, question="x" * 41),
        lambda: api.run(example=1, max_new_tokens=17),
        lambda: api.run(image="A" * 3_000_000, question="What?"),
        lambda: api.score(["a", "b", "c"], example=1),
        lambda: api.branch(example=1, max_new_tokens=8, edits=[{"kind": "zero"}] * 3),
    ]
    for call in calls:
        with pytest.raises(Exception, match=r"at most .*\d"):
            call()
    assert len(workshop.line) == 0
