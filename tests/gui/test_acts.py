import pytest
from PIL import Image

from core.errors import EditError, ImageError, QuestionError
from core.records import Edit
from gui import acts, asking, feeding
from gui.forms import form, make_edit, usable
from gui.screen import screen
from gui.visits import Visit
from gui.workshop import Workshop
from tests.gui.fake_engine import KINDS, FakeEngine, gallery, painted

KIND = {k.name: k for k in KINDS}


def test_a_run_is_drawn_while_it_goes_and_becomes_the_baseline(workshop, monkeypatch):
    monkeypatch.setattr(asking, "PAUSE", 0)
    visit = Visit(image=painted("blue"), options=("red", "blue"))
    views = list(asking.ask(visit, workshop, "What colour is it?"))
    assert len(views) > 6
    assert views[-1].strip.count('class="cell"') == 6
    assert visit.baseline.answer == "blue"
    assert set(visit.scores[visit.base]) == {"red", "blue"}


def test_stop_keeps_what_was_said(workshop, monkeypatch):
    monkeypatch.setattr(asking, "PAUSE", 0)
    visit = Visit(image=painted("blue"))
    going = asking.ask(visit, workshop, "What colour is it?")
    for _ in range(4):
        next(going)
    visit.cancel.set()
    left = list(going)
    assert len(left) <= 1
    assert visit.baseline.ended_by == "cancelled"
    assert 0 < len(visit.baseline.spans[0]) < 6
    assert "Stopped" in visit.say
    assert not workshop.lock.locked()


def test_an_empty_question_is_a_sentence(workshop):
    with pytest.raises(QuestionError):
        list(asking.ask(Visit(image=painted("red")), workshop, "  "))
    assert not workshop.lock.locked()


def test_an_edit_makes_a_branch_beside_the_baseline(visit, workshop):
    edit = make_edit(KIND["gaussian"], visit.baseline, "2-3", strength=1.0, seed=4)
    assert (edit.kind, edit.steps, edit.dose, edit.seed) == ("gaussian", (1, 2), 1.0, 4)
    acts.apply(visit, workshop, visit.baseline, [edit])
    assert visit.edited.parent == visit.baseline.id
    assert visit.branches[visit.shown].title == "Gaussian noise 1 at z2–3"
    view = screen(visit, workshop)
    assert "delivered ε 1.00" in view.answers
    assert view.strip.count('class="cell edited"') == 2


def test_edits_stack(visit, workshop):
    acts.apply(visit, workshop, visit.baseline, [make_edit(KIND["zero"], visit.baseline, "1")])
    first = visit.edited
    acts.apply(visit, workshop, first, [make_edit(KIND["zero"], first, "2")])
    assert visit.edited.parent == first.id
    assert visit.branches[visit.shown].depth == 2
    assert len(visit.edited.lineage) == 2


def test_forms_fit_their_kinds():
    assert form(KIND["gaussian"]).strength.parameter == "dose"
    assert form(KIND["rotate"]).strength.high == 180
    assert form(KIND["swap"]).donor
    assert form(KIND["patch"]).patch
    assert form(KIND["zero"]) == form(KIND["identity"])


def test_kinds_that_cannot_be_given_are_not_offered():
    family = FakeEngine.family
    assert not usable(KIND["manual"], family, bank=True)
    assert not usable(KIND["step_mean"], family, bank=False)
    assert usable(KIND["step_mean"], family, bank=True)


@pytest.mark.parametrize(("kind", "steps"), [("swap", "all"), ("patch", "1")])
def test_missing_fields_are_sentences(visit, kind, steps):
    with pytest.raises(EditError, match=r"\.$"):
        make_edit(KIND[kind], visit.baseline, steps)


def test_uploads_come_from_the_upload_folder_alone(tmp_path):
    inside, outside = tmp_path / "uploads", tmp_path / "private"
    inside.mkdir()
    outside.mkdir()
    painted("red").save(inside / "a.png")
    painted("red").save(outside / "b.png")
    visit = Visit()
    acts.open_picture(visit, str(inside / "a.png"), str(inside))
    assert visit.image.size == (448, 448)
    for path in (outside / "b.png", inside / ".." / "private" / "b.png"):
        with pytest.raises(acts.GuiError, match="not uploaded"):
            acts.open_picture(visit, str(path), str(inside))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_a_sentence(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"(not a picture|damaged).*\.$"):
        acts.open_picture(Visit(), str(tmp_path / "x.png"), str(tmp_path))


def test_a_truncated_picture_is_a_sentence(tmp_path):
    path = tmp_path / "x.jpg"
    Image.effect_noise((400, 400), 90).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ImageError, match="cut short"):
        acts.open_picture(Visit(), str(path), str(tmp_path))


def test_options_read_back():
    for options in [("left", "right"), ("U,R", "D,R"), ()]:
        assert acts.parse_options(acts.format_options(options)) == options
    assert acts.parse_options(" a, ,a ,b") == ("a", "b")


def test_a_model_that_cannot_be_loaded_is_a_sentence():
    def broken():
        raise EditError("There is no model here; give another folder.")

    shop = Workshop(broken, gallery, lambda: KINDS)
    shop.warm()
    assert not shop.ready
    assert shop.failure == "There is no model here; give another folder."


def paused(visit, workshop, latents):
    """The visit, waiting before latent number ``latents``."""
    for _ in range(latents):
        list(asking.ask(visit, workshop, visit.asked, stepwise=True))
    return visit.pending


def test_the_latent_that_waits_takes_an_edit_of_the_panel(visit, workshop):
    waiting = paused(visit, workshop, 2)
    donor = workshop.example(2)
    feeding.feed_edit(visit, workshop, Edit("swap", donor=donor), "Latents of example 3")
    assert (waiting.vector == donor.spans[0].latents[1].numpy()).all()
    assert waiting.watch.places[-1].mark == "Latents of example 3"
    feeding.feed_edit(visit, workshop, Edit("zero"), "Zero")
    assert not waiting.vector.any()
    with pytest.raises(EditError, match="needs a finished run; press Continue"):
        feeding.feed_edit(visit, workshop, Edit("permute"), "Permute")
    list(asking.ask(visit, workshop, visit.asked))
    assert not visit.edited.spans[0].latents[1].any()


def test_a_place_can_be_fed_only_of_the_picture_that_is_asked_about(visit, workshop):
    waiting = paused(visit, workshop, 1)
    feeding.feed_edit(visit, workshop, Edit("patch", patch=(1, 2)), "")
    assert waiting.watch.places[-1].mark == "row 2, column 3"
    with pytest.raises(acts.GuiError, match="cannot be fed"):
        feeding.feed_instead(visit, workshop, "patch", (99, 0))
    visit.image = painted("green")
    with pytest.raises(acts.GuiError, match="cannot be fed"):
        feeding.feed_instead(visit, workshop, "patch", (0, 0))
