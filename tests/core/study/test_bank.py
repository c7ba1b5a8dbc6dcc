"""The bank a study makes for a model that has none, and the name that its rows are kept under."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import core
from core.engine import Engine
from core.engine.bankfile import bank_settings
from core.records import Bank
from core.study.bank import give_bank
from core.study.design import Design, model_fingerprint
from core.study.items import StudyItem
from tests.core.engine import tiny

DESIGN = Design((), max_new_tokens=14, budget=4, force_latents=True, resamples=100)
ITEMS = [StudyItem(str(n), "What colour?", "red", picture=lambda: tiny.picture(0)) for n in (0, 1)]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    folder = tiny.write_checkpoint(tmp_path / "model", "monet", seed=3)
    return core.load(folder, device="cpu", dtype="float32")


def given(engine: Engine, folder: Path, design: Design = DESIGN) -> Bank:
    engine.bank = None
    give_bank(engine, ITEMS, design, folder)
    assert engine.bank is not None
    return engine.bank


def test_a_bank_says_its_settings_and_another_budget_makes_its_own(engine: Engine, tmp_path: Path):
    made = given(engine, tmp_path)
    assert made.latents.shape[:2] == (2, 4)
    assert made.settings == bank_settings(engine, DESIGN.options())
    assert len(engine.store) == 0
    (file,) = tmp_path.glob("bank-*.safetensors")
    written = file.read_bytes()
    assert given(engine, tmp_path).hash == made.hash
    assert file.read_bytes() == written
    assert given(engine, tmp_path, replace(DESIGN, budget=3)).latents.shape[1] == 3


def test_a_bank_from_before_settings_goes_on_serving(engine: Engine, tmp_path: Path):
    old = replace(given(engine, tmp_path), settings=None, source="from before")
    old.save(next(tmp_path.glob("bank-*.safetensors")))
    assert given(engine, tmp_path).source == "from before"


def test_rows_keep_the_name_they_were_written_under():
    """A changed digest would leave every finished study's rows behind."""
    model = SimpleNamespace(
        name="org/hub-model",
        loaded=SimpleNamespace(revision="abc123"),
        family=SimpleNamespace(name="monet"),
        choice=SimpleNamespace(device="cuda:0", dtype_name="bfloat16"),
        attention="sdpa",
    )
    assert model_fingerprint(model) == "14a676f79804"
