"""The recorded runs of the published loops, decoded again: every folder that is there is run."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import LogitsProcessor, LogitsProcessorList

import core
from core.records import Trace

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "golden"
CASES = sorted(file.parent.name for file in REFERENCE.glob("*/run.json"))

# The first prefix a folder's name begins with says whose loop recorded it.
FAMILIES = {
    "monet_sft": "monet-sft",
    "monet_train": "monet-sft",
    "monet": "monet",
    "seed": "capimagine-loop",
    "capimagine": "capimagine-loop",
    "mirage": "mirage",
    "lvr": "lvr",
    "skila": "skila",
    "ilvr": "ilvr",
    "laser": "laser",
}

# How run.json names a setting → how the engine does.
SETTINGS = {
    "budget": "budget",
    "steps": "budget",
    "lvr_steps": "budget",
    "strategy": "strategy",
    "decoding_strategy": "strategy",
    "criterion": "criterion",
    "end_threshold": "end_threshold",
    "lvr_end_threshold": "end_threshold",
    "threshold": "end_threshold",
}


def family_of(name: str, run: dict[str, Any]) -> str:
    if "family" in run:
        return str(run["family"])
    found = next((family for prefix, family in FAMILIES.items() if name.startswith(prefix)), None)
    assert found is not None, f"whose loop recorded {name}? Add its prefix to FAMILIES."
    return found


def places(value: Any) -> set[int]:
    """``start_at`` and ``end_at`` are a number, a list of them, or absent; −1 is never."""
    if value is None:
        return set()
    return {place for place in (value if isinstance(value, list) else [value]) if place >= 0}


class Scripted(LogitsProcessor):
    """Forces the start and end tokens where the recorded run did, bans what it banned."""

    def __init__(self, run: dict[str, Any], prompt: int, start: int, end: int) -> None:
        self.forced = dict.fromkeys(places(run["start_at"]), start)
        self.forced |= dict.fromkeys(places(run.get("end_at")), end)
        self.banned, self.prompt = run["banned"], prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores = scores.clone()
        forced = self.forced.get(input_ids.shape[1] - self.prompt)
        if forced is None:
            scores[:, self.banned] = float("-inf")
        else:
            scores[:] = float("-inf")
            scores[:, forced] = 0
        return scores


@pytest.fixture(scope="session")
def recipe() -> ModuleType:
    """``golden.py`` of the reference folder: draws a case's weights from its seed."""
    spec = importlib.util.spec_from_file_location("golden_recipe", REFERENCE / "golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not CASES, reason="needs the recorded runs in ../shared/golden")
@pytest.mark.parametrize("name", CASES or ["none"])
def test_a_published_run_is_met_token_for_token(
    name: str, recipe: ModuleType, tmp_path: Path
) -> None:
    case = REFERENCE / name
    run = json.loads((case / "run.json").read_text())
    recipe.write_checkpoint(case, tmp_path)
    engine = core.load(
        tmp_path, family=family_of(name, run), dtype="float32", attention="eager", device="cpu"
    )
    wanted = load_file(case / "expected.safetensors")
    inputs = {
        key: wanted[key]
        for key in ("input_ids", "attention_mask", "pixel_values", "image_grid_thw")
        if key in wanted
    }
    script = Scripted(run, wanted["input_ids"].shape[1], engine.ids.start, engine.ids.end)
    options = {SETTINGS[key]: value for key, value in run.items() if key in SETTINGS}
    if isinstance(options.get("budget"), list):
        options["budget"] = options["budget"][0]
    trace = engine.decode(
        inputs,
        logits_processor=LogitsProcessorList([script]),
        max_new_tokens=run["max_new_tokens"],
        keep_logits=True,
        **options,
    )
    assert list(trace.token_ids) == wanted["new_tokens"].tolist()
    # pass i consumes recorded token i − 1, so the recorded flags are shifted by one place
    assert [False, *trace.is_latent][: len(wanted["is_latent"])] == [
        bool(flag) for flag in wanted["is_latent"]
    ]
    if wanted["is_latent"].any():
        assert fed_distance(trace, wanted["fed_embeds"]) <= 1e-4
    width = wanted["logits"].shape[1]
    assert trace.logits.shape[0] == len(wanted["logits"])
    assert (trace.logits[:, :width] - wanted["logits"]).abs().max() <= 1e-3
    top = trace.logits.topk(5).values
    assert (top - wanted["logit_top"]).abs().max() <= 1e-3


def fed_distance(trace: Trace, fed: torch.Tensor) -> float:
    """Largest difference between a latent of the trace and what the published run was fed."""
    worst = [
        float((fed[span.start + 1 + k] - span.latents[k]).abs().max())
        for span in trace.spans
        for k in range(len(span))
        if span.start + 1 + k < len(fed)  # a last latent may be recorded but never consumed
    ]
    assert worst, "the reference was fed latents, the trace holds none"
    return max(worst)
