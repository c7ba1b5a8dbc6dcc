"""Collecting a bank, keeping it, and telling it from one that belongs to another model."""

import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import torch

import core
from core.engine.bankfile import bank_settings, keep_bank, misfit, own_name, settle_bank
from core.engine.banking import WORDS, collect_bank
from core.engine.inspect import layer_states
from core.engine.words import word_places, word_states
from core.errors import Cancelled, ImageError, InputError, RecordError
from core.records.bank import BankItem
from tests.core.engine import tiny

QUESTIONS = [(None, "What is it?"), (None, "Where is it?"), (None, "How many are there?")]
RUN = {"force_latents": True, "max_new_tokens": 24}


@pytest.fixture
def engine(lab):
    return lab("monet")


def collect(engine, questions=QUESTIONS, items=None, cancel=None, progress=None, batch=2):
    return collect_bank(engine, questions, "a test", progress, cancel, RUN, items, batch)


def test_the_bank_holds_the_latents_and_words_of_the_runs(engine):
    items = [BankItem(name, "task", gold="x") for name in "abc"]
    told = []
    bank = collect(engine, items=items, progress=lambda done, of: told.append((done, of)))
    assert told == [(2, 3), (3, 3)]
    assert [item.id for item in bank.items] == ["a", "b", "c"]
    for row, (_, question) in enumerate(QUESTIONS):
        trace = engine.run(None, question, **RUN)
        assert torch.allclose(bank.latents[row], trace.spans[0].latents, atol=1e-5)
        assert bank.items[row].answer == trace.answer
        places = word_places(engine, trace)
        found = bank.word_ids[row][bank.word_ids[row] >= 0].tolist()
        assert len(found) == min(WORDS, len(places))
        assert set(found) <= {trace.token_ids[place] for place in places}
        assert (found[0], found[-1]) == (trace.token_ids[places[0]], trace.token_ids[places[-1]])
    assert len(engine.store) == 3  # only the runs asked here; those of the bank were let go


def test_the_states_at_words_are_the_last_layers(engine):
    trace = engine.run(None, "What is it?", **RUN)
    places = word_places(engine, trace)
    assert torch.allclose(
        word_states(engine, trace), layer_states(engine, trace, places)[-1], atol=1e-4
    )
    span = trace.spans[0]
    before = word_states(engine, trace, [span.start + k - 1 for k in range(1, len(span))])
    assert torch.allclose(before, span.latents[1:], atol=1e-5)  # a latent is fed back as it is
    with pytest.raises(InputError):
        word_states(engine, trace, [len(trace.token_ids) - 1])


def test_pictures_are_opened_when_they_are_asked_about(engine):
    def broken():
        raise ImageError("torn")

    opened = []

    def good():
        opened.append(len(opened))
        return tiny.picture()

    bank = collect(engine, [(good, "What is it?"), (broken, "And this?"), (good, "That?")])
    assert len(bank.latents) == 2
    assert [item.id for item in bank.items] == ["0", "2"]
    assert bank.source == "a test, 1 left out whose picture cannot be opened"
    assert opened == [0, 1]


def test_stopping_ends_it_and_nothing_imagined_is_said(engine):
    stop = Event()
    with pytest.raises(Cancelled):
        collect(engine, cancel=stop, progress=lambda done, of: stop.set())
    with pytest.raises(InputError, match="imagine"):
        collect_bank(engine, QUESTIONS, "", None, None, {"forbid_latents": True})
    with pytest.raises(InputError, match="3 questions and 1 items"):
        collect(engine, items=[BankItem("a")])


def test_a_bank_is_this_models_until_something_it_depends_on_changes(engine, lab):
    bank = replace(collect(engine), settings=bank_settings(engine))
    assert misfit(engine, bank) == ""
    trained_on = replace(bank, settings={**bank.settings, "files": "0" * 12})
    assert "stale" in misfit(engine, trained_on)
    assert "files of the model" in misfit(engine, trained_on)
    shorter = replace(bank, settings={**bank.settings, "budget": 1})
    assert "budget" in misfit(engine, shorter)
    assert "width 5" in misfit(engine, replace(bank, latents=torch.ones(1, 2, 5)))
    assert misfit(engine, replace(bank, settings=None)) == ""


def test_it_is_kept_beside_the_model_or_in_the_users_folder(workshop, tmp_path: Path, monkeypatch):
    folder = tmp_path / "model"
    shutil.copytree(workshop("monet"), folder)
    load = lambda **more: core.load(  # noqa: E731
        folder, family="monet", dtype="float32", device="cpu", **more
    )
    engine = load()
    assert engine.bank is None
    bank = replace(collect(engine), settings=bank_settings(engine))
    assert keep_bank(engine, bank) == folder / "bank.safetensors"
    again = load()
    assert again.bank is not None
    assert again.bank.hash == bank.hash
    assert not any("bank" in note for note in again.notes)

    stale = replace(bank, settings={**bank.settings, "budget": 99})
    stale.save(folder / "bank.safetensors")
    again = load()
    assert again.bank is None
    assert any("stale" in note for note in again.notes)

    own = tmp_path / "own"
    monkeypatch.setattr("core.engine.bankfile.os.access", lambda *_: False)
    assert keep_bank(again, bank, own) == own / own_name(again.name)
    assert load(banks=own).bank.hash == bank.hash
    (own / own_name(again.name)).write_bytes(b"torn")
    assert load(banks=own).bank is None
    with pytest.raises(RecordError, match="cannot be kept"):
        keep_bank(again, bank, None)
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be kept"):
        keep_bank(again, bank, tmp_path / "file" / "own")


def test_a_bank_that_does_not_say_what_made_it_is_used_and_said(engine):
    engine.bank = replace(collect(engine), settings=None)
    assert "does not say" in settle_bank(engine)
    assert engine.bank is not None
