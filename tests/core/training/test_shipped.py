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
SUBSET = 12  # items a task
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
    """A subset of other items than the card's: its share may not lie far below the card's."""
    card = json.loads((folder / "card.json").read_text())
    engine = measure.load(folder)
    for task in scenes.TASKS:
        said = card["figures"]["accuracy"][task]["share"]
        runs = measure.answered(engine, measure.items_for(task, SUBSET, seed=9))
        share = measure.share_of([case.right for case in runs])
        spread = (max(said * (1 - said), 0.02) / SUBSET) ** 0.5
        assert share.value >= said - 4 * spread, (task, share.value, said)


@pytest.mark.parametrize("folder", [f for f in CARDED if VARIANTS[f.name].budget], ids=name_of)
def test_latents_do_what_the_card_says(folder: Path) -> None:
    variant = VARIANTS[folder.name]
    engine = measure.load(folder)
    runs = measure.answered(engine, measure.items_for("plan", SUBSET, seed=9))
    assert all(len(case.trace.spans) == 1 for case in runs)
    assert all(len(case.trace.spans[0].latents) == variant.budget for case in runs)
    if folder.name == "faithful":
        follow, _ = measure.interchange(engine, runs, runs)
        assert follow.value > 0.8
        assert measure.pointing(engine, runs).value > 0.9
    if folder.name == "shortcut":
        edits = measure.content(engine, runs)
        assert min(edit["same"].value for edit in edits.values()) > 0.9
        assert measure.alike(runs) > 0.95
