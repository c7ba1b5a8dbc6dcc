"""The shipped checkpoints: small, whole, in their format, and as good as their cards say."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from core import scenes
from core.engine import Engine
from core.training import measure
from core.training.formats import TOKENS
from core.training.measure import Answered, Share
from core.training.variants import VARIANTS

MODELS = Path(__file__).parents[3] / "assets" / "models"
FOLDERS = sorted(path.parent for path in MODELS.glob("*/config.json"))
CARDED = [folder.name for folder in FOLDERS if (folder / "card.json").exists()]
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


Asked = tuple[Engine, dict[str, list[Answered]], dict[str, Any]]


@pytest.fixture(scope="module")
def asked() -> Callable[[str], Asked]:
    """A shipped model, its runs of 100 items that no card's figure uses, and its card's figures."""

    @cache
    def ask(name: str) -> Asked:
        folder = MODELS / name
        engine = measure.load(folder)
        runs = {
            task: measure.answered(engine, measure.items_for(task, SUBSET, seed=9))
            for task in scenes.TASKS
        }
        return engine, runs, json.loads((folder / "card.json").read_text())["figures"]

    return ask


def at_least(share: Share, said: float) -> bool:
    """Whether a share of few items may come from a model whose share is `said`: four standard
    deviations, and never less than those of a share of .98."""
    return share.value >= said - 4 * (max(said * (1 - said), 0.02) / share.asked) ** 0.5


def pooled(shares: list[dict[str, Any]]) -> float:
    """One share of a card's shares by task."""
    return sum(share["share"] * share["n"] for share in shares) / sum(s["n"] for s in shares)


def flat(runs: dict[str, list[Answered]]) -> list[Answered]:
    """The runs of all tasks in one list."""
    return [case for cases in runs.values() for case in cases]


Found = dict[str, dict[str, dict[str, Share]]]  # task -> edit -> its shares


@pytest.fixture(scope="module")
def edited(asked: Callable[[str], Asked]) -> Callable[[str], Found]:
    """What every content edit and swap does to a shipped model's runs."""

    @cache
    def edit(name: str) -> Found:
        engine, runs, _ = asked(name)
        swaps = ("swap", "slot") if VARIANTS[name].slots else ("swap",)
        return {
            task: measure.edited(engine, cases, cases, swaps=swaps) for task, cases in runs.items()
        }

    return edit


def over_tasks(found: Found, edit: str, what: str) -> Share:
    """One share of the shares by task."""
    parts = [edits[edit][what] for edits in found.values()]
    return Share(sum(part.hits for part in parts), sum(part.asked for part in parts))


@pytest.mark.parametrize("name", CARDED)
def test_the_card_is_not_better_than_the_model(asked: Callable[[str], Asked], name: str) -> None:
    _, runs, figures = asked(name)
    for task, cases in runs.items():
        share = measure.share_of([case.right for case in cases])
        assert at_least(share, figures["accuracy"][task]["share"]), (task, share.value)


@pytest.mark.parametrize("name", [n for n in CARDED if VARIANTS[n].budget])
def test_a_model_that_imagines_does_so_every_time(asked: Callable[[str], Asked], name: str) -> None:
    for case in flat(asked(name)[1]):
        assert [len(span.latents) for span in case.trace.spans] == [VARIANTS[name].budget]


@pytest.mark.parametrize("name", [n for n in CARDED if not VARIANTS[n].budget])
def test_a_model_without_latents_has_no_span_of_them(
    asked: Callable[[str], Asked], name: str
) -> None:
    assert not any(case.trace.spans for case in flat(asked(name)[1]))


def test_faithful_answers_from_its_latents(
    asked: Callable[[str], Asked], edited: Callable[[str], Found]
) -> None:
    engine, runs, figures = asked("faithful")
    said = [figures["donor-follow"][task]["follows"] for task in scenes.TASKS]
    assert at_least(over_tasks(edited("faithful"), "swap", "follows"), pooled(said))
    assert over_tasks(edited("faithful"), "swap", "same").value < 0.1
    others = runs["where"] + runs["relative"]
    other = measure.edited(engine, runs["attribute"], others, contents=())["swap"]["follows"]
    across = "attribute read at where or relative donors"
    assert at_least(other, figures["donor-follow"][across]["follows"]["share"])
    assert at_least(measure.pointing(engine, runs["plan"]), figures["pointing"]["plan"]["share"])


def test_faithful_is_left_to_guess_by_content_edits(
    asked: Callable[[str], Asked], edited: Callable[[str], Found]
) -> None:
    runs = asked("faithful")[1]
    for task, edits in edited("faithful").items():
        prior = max(1 / len(case.item.options) for case in runs[task]) if task != "plan" else 0.0
        for name in measure.CONTENT:
            share = edits[name]["right"]
            allowed = prior + 0.1 + 4 * (prior * (1 - prior) / share.asked) ** 0.5
            assert share.value <= allowed, (task, name, share.value)


@pytest.mark.parametrize("name", ["shortcut", "slot"])
def test_content_edits_change_nothing_where_contents_are_ignored(
    edited: Callable[[str], Found], name: str
) -> None:
    for edit in (*measure.CONTENT, "swap"):
        assert at_least(over_tasks(edited(name), edit, "same"), 0.99), edit


def test_shortcut_s_latents_are_collapsed(asked: Callable[[str], Asked]) -> None:
    for cases in asked("shortcut")[1].values():
        assert measure.alike(cases) > 0.95


def test_slot_answers_from_keys_and_values(
    asked: Callable[[str], Asked], edited: Callable[[str], Found]
) -> None:
    said = [share["follows"] for share in asked("slot")[2]["slot swap"].values()]
    assert at_least(over_tasks(edited("slot"), "slot", "follows"), pooled(said))


def test_words_answers_from_the_sentence_even_a_rewritten_one(
    asked: Callable[[str], Asked],
) -> None:
    engine, runs, figures = asked("words")
    share = measure.rewritten(engine, flat(runs))
    assert at_least(share, pooled(list(figures["edited sentence followed"].values())))
