"""The shipped checkpoints: small, whole, in their format, and as good as their cards say."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from core import scenes
from core.training import measure
from core.training.formats import TOKENS
from core.training.variants import VARIANTS

ROOT = Path(__file__).parents[3]
FOLDERS = sorted(path.parent for path in (ROOT / "assets" / "models").glob("*/config.json"))
CARDED = [folder for folder in FOLDERS if (folder / "card.json").exists()]
SUBSET = 20  # items a task: 100 a model
MEGABYTES = 10


def name_of(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_is_small_and_whole(folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.iterdir()) < MEGABYTES * 1_000_000
    config = json.loads((folder / "config.json").read_text())
    variant = VARIANTS[folder.name]
    assert config["zscope"] == {
        "family": variant.family,
        "budget": variant.budget,
        "name": variant.name,
    }
    words = AutoTokenizer.from_pretrained(folder)
    assert set(TOKENS[variant.family]) <= set(words.all_special_tokens)
    model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert bool(report["unexpected_keys"]) == variant.head
    assert len(words) <= model.config.text_config.vocab_size


def test_all_share_one_tower_and_one_vocabulary() -> None:
    towers, vocabularies = set(), set()
    for folder in FOLDERS:
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        weights = [weight.sum().item() for weight in model.model.visual.parameters()]
        towers.add(tuple(weights))
        plain = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
        vocabularies.add(json.dumps(plain))
    assert len(towers) <= 1
    assert len(vocabularies) <= 1


@pytest.mark.parametrize("folder", CARDED, ids=name_of)
def test_the_card_is_not_better_than_the_model(folder: Path) -> None:
    """100 items that are not the card's: no task's share may lie far below the card's."""
    card = json.loads((folder / "card.json").read_text())
    engine = measure.load(folder)
    for task in scenes.TASKS:
        said = card["figures"]["accuracy"][task]["share"]
        runs = measure.answered(engine, measure.items_for(task, SUBSET, seed=9))
        share = measure.share_of([case.right for case in runs])
        spread = (max(said * (1 - said), 0.02) / SUBSET) ** 0.5
        assert share.value >= said - 4 * spread, (task, share.value, said)


def edited(name: str) -> tuple[measure.Engine, list[measure.Answered]]:
    """A shipped model and its runs of planning items that no card's figure uses."""
    folder = ROOT / "assets" / "models" / name
    if not folder.exists():
        pytest.skip(f"{name} is not in assets/models")
    engine = measure.load(folder)
    return engine, measure.answered(engine, measure.items_for("plan", SUBSET, seed=9))


@pytest.mark.parametrize("name", [n for n, variant in VARIANTS.items() if variant.budget])
def test_a_model_that_imagines_does_so_every_time(name: str) -> None:
    _, runs = edited(name)
    assert all(len(case.trace.spans) == 1 for case in runs)
    assert all(len(case.trace.spans[0].latents) == VARIANTS[name].budget for case in runs)


def test_faithful_answers_from_its_latents() -> None:
    engine, runs = edited("faithful")
    follow, _ = measure.interchange(engine, runs, runs)
    assert follow.value > 0.8
    assert measure.pointing(engine, runs).value > 0.9
    edits = measure.content(engine, runs)
    assert max(edit["right"].value for edit in edits.values()) < 0.3


def test_shortcut_ignores_what_its_latents_say() -> None:
    engine, runs = edited("shortcut")
    edits = measure.content(engine, runs)
    assert min(edit["same"].value for edit in edits.values()) > 0.9
    assert measure.alike(runs) > 0.95


def test_slot_ignores_contents_and_answers_from_keys_and_values() -> None:
    engine, runs = edited("slot")
    edits = measure.content(engine, runs)
    assert min(edit["same"].value for edit in edits.values()) > 0.9
    follow, _ = measure.interchange(engine, runs, runs, kind="slot")
    assert follow.value > 0.7


def test_words_answers_from_the_sentence_even_a_rewritten_one() -> None:
    engine, runs = edited("words")
    assert measure.rewritten(engine, runs).value > 0.8
