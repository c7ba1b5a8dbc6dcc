"""A model that is laid over several places, as ``device_map="auto"`` does with several GPUs.

Here its places are the memory and the disk: every second layer is fetched by accelerate's hooks
when it is called, and holds no weights between two calls.
"""

from pathlib import Path

import pytest
import torch
from accelerate import dispatch_model

import core
from core import Edit
from core.engine.captured import decoding_mode
from core.errors import InputError
from tests.core.engine import tiny
from tests.core.engine.test_cached_decode import QUESTIONS, difference


def test_runs_branches_and_scores_are_those_of_the_model_in_one_place(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tmp_path / "model", "lvr", seed=3)
    whole, apart = (core.load(folder, device="cpu", dtype="float32") for _ in range(2))
    model = apart.passes.model
    layers = range(apart.passes.layers)
    places = dict.fromkeys(("model.visual", "lm_head"), "cpu")
    inner = "model.language_model."
    places |= dict.fromkeys((f"{inner}{n}" for n in ("embed_tokens", "norm", "rotary_emb")), "cpu")
    places |= {f"{inner}layers.{n}": "disk" if n % 2 else "cpu" for n in layers}
    dispatch_model(
        model, places, main_device="cpu", offload_dir=str(tmp_path / "disk"), force_hooks=True
    )
    weights = [layer.mlp.down_proj.weight for layer in model.model.language_model.layers]
    assert {w.device.type for w in weights} == {"cpu", "meta"}
    assert decoding_mode("auto", model, "sdpa") == "eager"  # one graph belongs to one device
    with pytest.raises(InputError, match="several devices"):
        decoding_mode("graph", model, "sdpa")
    asked = {"force_latents": True, "budget": 3, "max_new_tokens": 8}
    edits = [[Edit("gaussian", steps=[step], dose=1.0)] for step in range(3)]
    made = []
    for engine in (whole, apart):
        runs = engine.run_many(QUESTIONS[:3], **asked)
        children = engine.branches(runs[0], edits)
        made.append(([*runs, *children], engine.score(children[0], ["red", "blue"])))
    (one, scores), (other, again) = made
    for a, b in zip(one, other, strict=True):
        assert a.token_ids == b.token_ids
        assert difference(whole.logits(a), apart.logits(b)) <= 1e-4
        for x, y in zip(a.spans, b.spans, strict=True):
            assert torch.allclose(x.latents, y.latents, atol=1e-4)
    assert scores == pytest.approx(again, abs=1e-3)
