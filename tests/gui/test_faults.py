"""What breaks around the page does not take the page down."""

import errno
import os
import shutil
import time

import gradio as gr
import pytest
import torch

import core
from gui import acts, app, screen
from gui.autosave import Autosave
from gui.bounds import Bounds
from gui.endpoints import Endpoints
from gui.keeping import save_visit
from gui.line import Line
from gui.shelf import Model, Shelf
from gui.visitors import Visits
from gui.workshop import Workshop
from tests.core.engine import tiny
from tests.gui.fake_engine import KINDS, FakeEngine, gallery


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("map_of", "The map could not be drawn."),
        ("_similarity", "The similarity could not be drawn."),
        ("looked", "The look at the picture could not be drawn."),
        ("inspected", "The inspector could not be drawn."),
    ],
)
def test_a_part_that_fails_is_said_and_the_rest_is_shown(visit, workshop, monkeypatch, part, said):
    whole = screen.screen(visit, workshop)

    def fails(*anything):
        raise ZeroDivisionError("of our own making")

    monkeypatch.setattr(screen, part, fails)
    shown = screen.screen(visit, workshop)
    assert said in shown.say
    assert "trouble" in shown.say
    assert (shown.answers, shown.strip, shown.tree) == (whole.answers, whole.strip, whole.tree)
    others = {"map", "similarity", "look", "inspector"}
    lost = {name for name in others if not getattr(shown, name) and getattr(whole, name)}
    assert len(lost) <= 1


def unwritable(folder):
    """A place in which no folder can be made, whoever asks."""
    (folder / "file").write_text("in the way")
    return folder / "file" / "zscope"


def test_a_read_only_home_opens_the_page_and_says_so(tmp_path):
    options = app.Options(port=None, model="stand-in", state=unwritable(tmp_path))
    page = app.build(options, lambda _: FakeEngine(), gallery, lambda: KINDS, tmp_path)
    (said,) = [b for b in page.blocks.values() if getattr(b, "elem_id", None) == "not-kept"]
    assert "sessions are not kept by themselves" in said.value
    page.workshop.warm()
    assert page.workshop.ready
    key, visit = page.visits.open()
    assert page.desks.sessions.begin(key, visit) == ""  # and every part that keeps lets it be
    page.autosave.touch(key)
    page.autosave.settle()
    page.autosave.expire()
    page.visits.close(None)


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_is_there_and_read_only_keeps_nothing(tmp_path):
    tmp_path.chmod(0o500)
    autosave = Autosave(tmp_path)
    tmp_path.chmod(0o700)
    assert autosave.folder is None
    assert autosave.trouble


def test_a_model_whose_files_are_removed_goes_on(tmp_path):
    folder = tiny.write_checkpoint(tmp_path / "model", "monet", seed=7)
    engine = core.load(folder, device="cpu", dtype="float32")
    ask = {"budget": 3, "force_latents": True, "max_new_tokens": 8}
    before = engine.run(tiny.picture(0), "What?", **ask)
    shutil.rmtree(folder)
    after = engine.run(tiny.picture(0), "What?", **ask)
    assert after.token_ids == before.token_ids
    assert torch.equal(after.spans[0].latents, before.spans[0].latents)
    child = engine.branch(after, [core.records.Edit("zero")])
    assert child.receipts[0].kind == "zero"


def test_a_model_whose_files_are_gone_before_it_is_loaded_is_one_sentence(tmp_path):
    folder = tiny.write_checkpoint(tmp_path / "model", "monet", seed=7)
    (folder / "model.safetensors").unlink()
    shop = Workshop(lambda: core.load(folder, device="cpu"), gallery, lambda: KINDS)
    shop.warm()
    assert not shop.ready
    assert shop.failure.endswith(".")
    assert "terminal" not in shop.failure  # it is told, not left to a traceback
    shelf = Shelf(Model("gone", str(folder)), lambda m: core.load(m.source), gallery, lambda: KINDS)
    assert len(shelf.line) == 0


def test_a_clock_that_is_set_back_neither_expires_nor_holds_up(tmp_path, monkeypatch):
    visits, line = Visits(bounds=Bounds(idle=1)), Line()
    key, visit = visits.open()
    kept = tmp_path / ("a" * 32 + ".zscope")
    kept.write_bytes(b"x")
    first, second = line.join("a"), line.join("b")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 365 * 86_400)
    assert visits.expire() == 0
    assert visits.get(key) is visit
    visit.seen -= 61  # a minute of real time passes all the same
    assert visits.expire() == 1
    Autosave(tmp_path)
    assert kept.exists()
    line.leave(first)
    assert line.wait(second, 0.0)
    assert line.estimate(line.join("c")) >= 0


def test_a_full_device_is_one_sentence_and_the_page_goes_on(tmp_path, monkeypatch):
    folder = tiny.write_checkpoint(tmp_path / "model", "monet", seed=7)
    options = app.Options(port=None, model="stand-in")
    page = app.build(
        options,
        lambda _: core.load(folder, device="cpu"),
        gallery,
        lambda: KINDS,
        tmp_path / "none",
    )
    page.workshop.warm()
    assert page.workshop.ready, page.workshop.failure
    key, visit = page.visits.open()
    visit.image = tiny.picture(0)
    passes = page.workshop.engine.passes

    def full(*anything, **more):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    def run():
        list(page.desks.on_run(key, None, "What?", "", 3, True, 0.0, 0, 8, ""))

    with monkeypatch.context() as patched:
        patched.setattr(passes.language, "forward", full)
        run()
        assert visit.trouble
        assert "ran out of memory" in visit.say
        assert not visit.branches
    assert (len(page.workshop.line), visit.going) == (0, False)
    run()
    assert not visit.trouble
    assert visit.baseline.spans


def test_memory_that_runs_out_beside_the_model_is_one_sentence(monkeypatch):
    def full(*anything):
        raise MemoryError

    monkeypatch.setattr("gui.answering._decoded", full)
    shelf = Shelf(Model("stand-in", "none"), lambda _: FakeEngine(), gallery, lambda: KINDS)
    shelf.first.warm()
    with pytest.raises(gr.Error, match="ran out of memory; use a smaller picture"):
        Endpoints(shelf).run(image="AAAA", question="What?")
    assert len(shelf.line) == 0


def test_a_disk_that_is_full_at_autosave_keeps_the_page_and_the_older_file(tmp_path, capsys):
    autosave, visits = Autosave(tmp_path), Visits()
    key, visit = visits.open()
    engine = FakeEngine()
    visit.begin(engine.run(gallery()[0].image, "What colour?"))
    room = {"left": True}

    def write(path):
        if not room["left"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save_visit(visit, path, "model", "fake")

    name = autosave.begin(key, visit, write)
    autosave.touch(key)
    autosave.settle()
    older = (tmp_path / f"{name}.zscope").read_bytes()
    room["left"] = False
    visit.asked = "Another question?"
    autosave.touch(key)
    autosave.settle()
    assert (tmp_path / f"{name}.zscope").read_bytes() == older
    assert "No space left" in capsys.readouterr().err
    room["left"] = True
    autosave.settle()  # what could not be written is still due
    assert autosave.find(name).meta["asked"] == "Another question?"


def test_a_visitor_is_told_once_that_autosave_fails(tmp_path, monkeypatch):
    options = app.Options(port=None, model="stand-in", state=tmp_path)
    page = app.build(options, lambda _: FakeEngine(), gallery, lambda: KINDS, tmp_path)
    page.workshop.warm()
    key, visit = page.visits.open()
    page.desks.sessions.begin(key, visit)
    desk = page.desks.at(page.workshop)

    def edit():
        desk.now(key, lambda visit: acts.open_example(visit, page.workshop, 0))
        page.autosave.touch(key)
        page.autosave.settle()

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("core.records.atomic.os.replace", full)
        edit()
        assert "not being kept" not in visit.say
        edit()
        assert visit.trouble
        assert visit.say.startswith("What you do here is not being kept by itself")
        assert visit.say.count(".") == 1
        edit()  # said once, though it goes on failing
        assert "not being kept" not in visit.say
    edit()  # there is room again
    (kept,) = (tmp_path / "sessions").glob("*.zscope")
    assert kept.stat().st_size
    assert "not kept" not in visit.beside
