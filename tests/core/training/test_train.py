"""Every variant trains, resumes to the same weights, and its folder loads like any checkpoint."""

import json
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration

import core
from core import scenes
from core.errors import InputError
from core.training.loop import begin, loss_at, proceed
from core.training.recipe import train, variant_of
from core.training.rows import draw, guess
from core.training.variants import VARIANTS
from core.training.workshop import Workshop

STEPS = 30


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_few_steps_lower_the_loss_and_the_folder_loads(
    name: str, shop: Workshop, tmp_path: Path
) -> None:
    variant = variant_of(name, STEPS)
    run = begin(variant, shop, 0, tmp_path / "state.pt")
    first = proceed(run, shop, 0, tmp_path / "state.pt", until=1)["answer"]
    last = proceed(run, shop, 0, tmp_path / "state.pt")["answer"]
    assert run.step == STEPS
    assert last < first
    folder = train(
        name, tmp_path / name, STEPS, folder=_with_state(tmp_path, name), per_task=0, workshop=shop
    )
    model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert all(key.startswith("lvr_head.") for key in report["unexpected_keys"])
    assert bool(report["unexpected_keys"]) == variant.head
    for key, weight in run.model.state_dict().items():
        assert torch.allclose(model.state_dict()[key], weight, atol=5e-3), key
    engine = core.load(folder, device="cpu")
    assert engine.family.name == variant.family
    assert json.loads((folder / "config.json").read_text())["zscope"]["budget"] == variant.budget
    item = scenes.sample("count", "test", 0, 1)[0]
    trace = engine.run(item.image, item.question, max_new_tokens=16)
    assert list(trace.prompt.input_ids) == _prompt(run.format, item.question)


def _with_state(folder: Path, name: str) -> Path:
    """Where `train` finds the finished state, and one for the variant it begins from."""
    for other in (name, VARIANTS[name].begin):
        if other:
            (folder / f"{other}-0.pt").write_bytes((folder / "state.pt").read_bytes())
    return folder


def _prompt(format_, question: str) -> list[int]:
    picture = format_.encode("<|image_pad|>") * 16
    return [*format_.prefix, *picture, *format_.rest(question)]


def test_a_stopped_training_goes_on_as_if_it_had_not_been(shop: Workshop, tmp_path: Path) -> None:
    variant = variant_of("faithful", 4)
    whole = begin(variant, shop, 0, tmp_path / "whole.pt")
    proceed(whole, shop, 0, tmp_path / "whole.pt")
    part = begin(variant, shop, 0, tmp_path / "part.pt")
    proceed(part, shop, 0, tmp_path / "part.pt", until=2)
    resumed = begin(variant, shop, 0, tmp_path / "part.pt")
    assert resumed.step == 2
    proceed(resumed, shop, 0, tmp_path / "part.pt")
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], weight), name


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_step_away_from_the_cpu_leaves_nothing_behind_on_it(
    name: str, shop: Workshop, tmp_path: Path
) -> None:
    """The device without storage refuses tensors of the CPU, as a GPU does."""
    meta = torch.device("meta")
    run = begin(variant_of(name, 4), shop, 0, tmp_path / "none.pt", device=meta)
    for step in (0, run.steps - 1):
        run.step = step
        rows = draw(run.variant, run.format, shop.seen, Random(0))
        loss, parts = loss_at(run, rows, torch.Generator())
        run.optimiser.descend(loss, run.step)
        assert loss.device == meta
        assert {part.device for part in parts.values()} == {meta}


def test_a_device_that_is_not_there_is_said_to_be_missing(tmp_path: Path, shop: Workshop) -> None:
    with pytest.raises(InputError, match="no device 'cuda:9'"):
        train("direct", tmp_path, 2, folder=tmp_path, workshop=shop, device="cuda:9")


def test_a_deadline_that_has_passed_stops_at_once(shop: Workshop, tmp_path: Path) -> None:
    run = begin(variant_of("direct", 4), shop, 0, tmp_path / "late.pt")
    proceed(run, shop, 0, tmp_path / "late.pt", deadline=0.0)
    assert run.step == 0
    assert (tmp_path / "late.pt").exists()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="faithful, shortcut"):
        train("none")


@pytest.mark.parametrize("name", ["faithful", "region", "slot"])
def test_interchanged_rows_answer_at_their_donors_evidence(name: str, shop: Workshop) -> None:
    variant = VARIANTS[name]
    format_ = shop.format(variant.family)
    swapped = crossing = 0
    for seed in range(4):
        rows = draw(variant, format_, shop.seen, Random(seed))
        assert not bool((rows.swapped & rows.junk).any())
        for k in rows.swapped.nonzero()[:, 0].tolist():
            case, donor = rows.cases[k], rows.cases[int(rows.donors[k])]
            truth = scenes.transferred(case.question, donor.question, donor.scene)
            assert truth is not None
            said = [token for token in rows.targets[k].tolist() if token >= 0]
            assert said == format_.reply(truth)
            assert case.question.task in variant.swap_tasks
            swapped += 1
            crossing += case.question.task != donor.question.task
    assert swapped
    assert crossing


def test_without_evidence_the_answer_is_one_guess(shop: Workshop) -> None:
    variant = VARIANTS["faithful"]
    format_ = shop.format(variant.family)
    emptied = right = 0
    for seed in range(4):
        rows = draw(variant, format_, shop.seen, Random(seed))
        for k in rows.junk.nonzero()[:, 0].tolist():
            case = rows.cases[k]
            said = [token for token in rows.targets[k].tolist() if token >= 0]
            assert said == format_.reply(guess(case.question))
            assert case.question.task in variant.junk_tasks
            assert {c.answer for c in rows.cases if c.question.task == case.question.task} - {
                guess(case.question)
            }
            emptied += 1
            right += case.answer == guess(case.question)
    assert emptied > 0
    assert right < emptied / 2  # a guess, not the truth


def test_a_rewritten_sentence_is_answered_but_not_taught(shop: Workshop) -> None:
    variant = VARIANTS["words"]
    format_ = shop.format(variant.family)
    rows = draw(variant, format_, shop.seen, Random(2))
    rewritten = 0
    for k, case in enumerate(rows.cases):
        true = format_.reply(case.answer, scenes.sentence_for(case.question, case.scene))
        if rows.targets[k, 0] >= 0:
            assert [token for token in rows.targets[k].tolist() if token >= 0] == true
        else:
            rewritten += 1
    assert 0 < rewritten < len(rows.cases)


def test_training_and_test_scenes_are_disjoint(shop: Workshop) -> None:
    seen = {item.scene.canonical for item in shop.seen.items}
    assert all(item.split == "train" for item in shop.seen.items)
    for task in scenes.TASKS:
        asked = {item.scene.canonical for item in scenes.sample(task, "test", 0, 60)}
        assert not asked & seen
        assert not asked & {i.scene.canonical for i in shop.watched.items}
