"""“Copy as Python” and kept sessions, with a real engine over a small random checkpoint."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import core
from core import scenes
from core.records import load
from gui import acts, asking
from gui.autosave import Autosave
from gui.keeping import save_visit
from gui.scripting import Script, source_of
from gui.sessions import Sessions, wait_for_runs
from gui.shelf import Model, Shelf
from gui.visits import Visit
from tests.core.engine import tiny

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"force_latents": True, "max_new_tokens": 24, "budget": 4}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("tiny"), "monet", seed=3)
    model = Model("tiny", str(folder), "monet")
    made = Shelf(
        model, lambda m: core.load(m.source, family=m.family), lambda: scenes.gallery()[:3]
    )
    made.first.warm()
    assert made.first.ready, made.first.failure
    return made


@pytest.fixture
def room(shelf):
    return shelf.first


def asked(room, image, question, example=None):
    """A visit with a run, an edit of it, and an edit that takes its latents from that edit."""
    visit = Visit(image=image, asked=question, options=("red", "blue"), example=example)
    for _ in asking.ask(visit, room, question, **SHORT):
        pass
    base = visit.baseline
    noisy = core.Edit("gaussian", steps=[1, 2], dose=1.5, seed=7)
    acts.apply(visit, room, base, [noisy])
    acts.apply(visit, room, base, [core.Edit("swap", donor=visit.edited), core.Edit("zero", [0])])
    return visit


def output(script, folder):
    """What a fresh interpreter prints: the tokens of both runs behind what the script prints."""
    text = script + "print([before.token_ids, after.token_ids])\n"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, env=env, capture_output=True, text=True
    )
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


def told(visit):
    return str([visit.baseline.token_ids, visit.edited.token_ids])


def test_an_example_is_made_again_in_a_fresh_interpreter(room, tmp_path):
    item = room.items[1]
    visit = asked(room, item.image, item.question, 1)
    # a branch of the branch that is shown, and one of that: edits stack
    further = [core.Edit("rotate", steps=[1], angle=90.0, seed=3)]
    acts.apply(visit, room, visit.edited, further)
    acts.apply(visit, room, visit.edited, [core.Edit("zero", steps=[2], mode="pinned")])
    script = Script(visit, room, source_of(room.engine, ROOT), "unused").text()
    assert "session" not in script
    assert script.count("engine.branch(") == 4  # the two on screen rest on two more
    assert "examples[1].image" in script
    lines = output(script, tmp_path)
    assert lines[-1] == told(visit)
    scores = visit.scores[visit.shown]
    assert f"'red': {scores['red']:.3f}"[:12] in "".join(lines)


def test_an_uploaded_picture_comes_from_the_saved_session(room, tmp_path):
    picture = tiny.picture(5, (90, 70))
    visit = asked(room, picture, "What colour is “it”?\n'; import os")
    save_visit(visit, tmp_path / "session.zscope", "tiny", "monet")
    script = Script(visit, room, source_of(room.engine, ROOT), "session.zscope").text()
    assert output(script, tmp_path)[-1] == told(visit)


def test_nothing_on_the_screen_is_one_sentence(room):
    with pytest.raises(acts.GuiError, match="run a question first"):
        Script(Visit(), room, "x", "y").text()


def test_a_kept_session_goes_on_where_it_was(shelf, room, tmp_path):
    item = room.items[0]
    visit = asked(room, item.image, item.question, 0)
    visit.branches[visit.shown].title = "mine"
    visit.steps = (1, 2)
    acts.apply(visit, room, visit.edited, [core.Edit("zero", steps=[3])])
    more = visit.edited
    visit.undo()
    sessions = Sessions(shelf, Autosave(tmp_path / "kept"))
    name = sessions.begin("key", visit, "ex=1")
    sessions.autosave.touch("key")
    sessions.autosave.settle()
    kept = sessions.autosave.find(name)
    assert sessions.room(kept) == ("tiny", room)
    room.engine.store.clear()  # as after a restart

    again = Visit(model="tiny")
    sessions.show(again, kept, room, fresh=False)
    wait_for_runs(again)
    assert not again.beside["unheld"]
    assert [b.title for b in again.branches.values()] == [b.title for b in visit.branches.values()]
    assert (again.base, again.shown, again.steps) == (visit.base, visit.shown, (1, 2))
    assert again.scores == visit.scores
    assert again.patches.shape == visit.patches.shape
    acts.apply(again, room, again.edited, [core.Edit("zero", steps=[3])])
    assert again.edited.token_ids == more.token_ids


def test_an_opened_file_gets_ids_of_its_own_and_opens_without_its_model(shelf, room, tmp_path):
    item = room.items[0]
    visit = asked(room, item.image, item.question, 0)
    save_visit(visit, tmp_path / "a.zscope", "somewhere/else-7B", "monet")
    session = load(tmp_path / "a.zscope")
    sessions = Sessions(shelf, Autosave(None))
    name, recorded = sessions.room(session)
    assert name == "recorded:monet"
    again = Visit(model=name)
    sessions.show(again, session, recorded, fresh=True)
    assert not set(again.branches) & set(visit.branches)
    assert again.edited.parent == again.base
    with pytest.raises(core.errors.CheckpointError, match="recorded"):
        acts.apply(again, recorded, again.baseline, [core.Edit("zero")])


def test_what_was_made_with_another_model_can_be_looked_at(shelf, room, tmp_path):
    from dataclasses import replace

    item = room.items[0]
    visit = asked(room, item.image, item.question, 0)
    for branch in visit.branches.values():
        branch.trace = replace(branch.trace, token_ids=branch.trace.token_ids[::-1])
    save_visit(visit, tmp_path / "a.zscope", "tiny", "monet")
    sessions = Sessions(shelf, Autosave(None))
    again = Visit(model="tiny")
    sessions.show(again, load(tmp_path / "a.zscope"), room, fresh=True)
    assert again.say.startswith("These runs can be looked at, not edited:")
    assert len(again.branches) == 3


def test_what_is_due_gives_way_to_an_act_but_not_for_ever(tmp_path):
    autosave, visit = Autosave(tmp_path / "kept"), Visit()
    name = autosave.begin("key", visit, lambda path: None)
    with autosave._lock:
        autosave._open[name].due = 100.0
    visit.going = True
    assert autosave._due(100.5) == []
    assert [n for n, _ in autosave._due(104.0)] == [name]
    visit.going = False
    assert [n for n, _ in autosave._due(100.5)] == [name]
    assert autosave._due(99.0) == []


def test_untouched_sessions_are_deleted_and_odd_names_are_refused(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    old, new = folder / ("a" * 32 + ".zscope"), folder / ("b" * 32 + ".zscope")
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (1e9, 1e9))
    autosave = Autosave(folder)
    assert not old.exists()
    assert new.exists()
    for name in ("../" + "b" * 29, "b" * 31, "", "b" * 32 + "/x"):
        assert autosave.find(name) is None
    assert autosave.find("b" * 32) is None  # not a session; left aside


def test_a_reload_waits_for_what_the_closed_tab_still_writes(room, tmp_path):
    image, question = scenes.gallery()[0].image, scenes.gallery()[0].question
    visit = asked(room, image, question)
    kept, gone, on = Autosave(tmp_path), threading.Event(), threading.Event()

    def write(path):
        gone.set()
        assert on.wait(10)
        save_visit(visit, path, "tiny", "monet")

    name = kept.begin("old tab", visit, write)
    with kept._lock:
        kept._open[name].due = time.monotonic() + 3600  # the closed tab is who writes it
    leaving = threading.Thread(target=kept.leave, args=("old tab",))
    leaving.start()
    assert gone.wait(10)
    assert not kept.taken(name)
    found = []
    reload = threading.Thread(target=lambda: found.append(kept.find(name)))
    reload.start()
    on.set()
    leaving.join()
    reload.join()
    assert len(found[0].traces) == len(visit.branches)
