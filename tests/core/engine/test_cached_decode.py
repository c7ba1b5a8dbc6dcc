"""Step by step with a cache, in one pass without it, alone or in a batch: the same numbers."""

from typing import Any

import pytest
import torch
from torch import Tensor

from core import families
from core.engine import Engine
from core.engine.prompts import batched
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.scripts import Saying, saying

LATENT = [name for name in families.names() if families.get(name).latent]
KERNELS = ("sdpa", "eager")


@torch.no_grad()
def recomputed(engine: Engine, inputs: dict[str, Tensor], trace: Trace) -> Tensor:
    """Logits (N, V) of one uncached pass of the stock model over everything that was fed."""
    model: Any = engine.loaded.model
    said = torch.tensor([trace.token_ids[:-1]])
    ids = torch.cat([inputs["input_ids"], said], dim=1)
    embeds = model.get_input_embeddings()(ids)
    prompt = inputs["input_ids"].shape[1]
    if "pixel_values" in inputs:
        seen = model.model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"])
        where = ids[0] == model.config.image_token_id
        embeds[0, where] = torch.cat(list(seen.pooler_output))
    latent = torch.zeros(ids.shape[1], dtype=torch.bool)
    for span in trace.spans:
        for k, vector in enumerate(span.latents):
            if span.start + k < said.shape[1]:
                embeds[0, prompt + span.start + k] = vector
                latent[prompt + span.start + k] = True
    positions, _ = model.model.get_rope_index(
        ids,
        mm_token_type_ids=(ids == model.config.image_token_id).int(),
        image_grid_thw=inputs.get("image_grid_thw"),
    )
    out = model.model.language_model(
        inputs_embeds=embeds, position_ids=positions, use_cache=False
    ).last_hidden_state[0]
    if engine.loaded.head is not None:
        out[latent] = engine.loaded.head(out[latent])
    logits: Tensor = model.lm_head(out[prompt - 1 :])
    return logits


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("family", [*LATENT, "lvr+simple", "lvr+glu"])
def test_the_cached_decode_equals_one_uncached_pass(lab: Lab, family: str, kernel: str) -> None:
    name, _, head = family.partition("+")
    engine = lab(name, kernel, head)
    trace = saying(engine, "xSxxxxxxxSxxEx", longest=20)
    assert trace.spans
    inputs = engine.hold(trace).inputs
    assert difference(engine.logits(trace), recomputed(engine, inputs, trace)) <= 1e-4


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_edited_branch_equals_one_uncached_pass(lab: Lab, kernel: str) -> None:
    engine = lab("monet-sft", kernel)
    trace = saying(engine, "xSxxxxxxx", longest=16)
    for mode in ("propagate", "pinned"):
        child = engine.branch(trace, [Edit("gaussian", steps=[1], dose=0.7, mode=mode)])
        whole = recomputed(engine, engine.hold(trace).inputs, child)
        assert difference(engine.logits(child), whole) <= 1e-4


def test_the_stock_generate_and_the_engine_say_the_same_without_latents(lab: Lab) -> None:
    engine = lab("qwen2.5-vl")
    inputs = engine.prompt(tiny.picture(4), "Where does the path lead?").inputs
    trace = engine.decode(inputs, max_new_tokens=12)
    said = engine.loaded.model.generate(**inputs, max_new_tokens=12, do_sample=False)
    assert list(trace.token_ids) == said[0, inputs["input_ids"].shape[1] :].tolist()


SCRIPTS = ["xSxxxxxxx", "xxxSxExx", "Q", "xxxxxxQ", "SxxQ", "SESxxE", "xxxxxxxSxxxx", "SxSxSxQxxx"]
QUESTIONS = [
    (tiny.picture(0, (56, 56)), "What?"),
    (tiny.picture(1, (84, 56)), "What colour is the star, and where does the path lead?"),
    (None, "Up or down?"),
    (tiny.picture(2, (112, 84)), "Count."),
    (tiny.picture(3, (56, 112)), "left or right " * 9),
    (None, "one two three " * 12),
    (tiny.picture(4, (112, 112)), "Is it red?"),
    (tiny.picture(5, (84, 84)), "?"),
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("family", [*LATENT, "lvr+simple"])
def test_a_batch_of_eight_equals_eight_singles(lab: Lab, family: str, kernel: str) -> None:
    name, _, head = family.partition("+")
    engine = lab(name, kernel, head)
    alone = [engine.prompt(*question).inputs for question in QUESTIONS]
    together = batched(alone)
    processor = Saying(engine, together["input_ids"], SCRIPTS)
    options: dict[str, Any] = {"max_new_tokens": 14, "budget": 3}
    many = engine.decode(together, logits_processor=processor, **options)
    for inputs, script, batch in zip(alone, SCRIPTS, many, strict=True):
        single = engine.decode(
            inputs, logits_processor=Saying(engine, inputs["input_ids"], [script]), **options
        )
        assert batch.token_ids == single.token_ids
        assert batch.sampled_ids == single.sampled_ids
        assert batch.ended_by == single.ended_by
        assert batch.prompt == single.prompt
        assert difference(engine.logits(batch), engine.logits(single)) <= 1e-4
        assert [(s.start, s.ended_by) for s in batch.spans] == [
            (s.start, s.ended_by) for s in single.spans
        ]
        for a, b in zip(batch.spans, single.spans, strict=True):
            assert difference(a.latents, b.latents) <= 1e-4
            assert difference(a.hidden, b.hidden) <= 1e-4


def test_a_row_of_a_batch_can_be_branched_from_and_replayed(lab: Lab) -> None:
    engine = lab("monet-sft")
    many = engine.run_many(QUESTIONS, budget=3, force_latents=True, max_new_tokens=8)
    singles = [
        engine.run(*question, budget=3, force_latents=True, max_new_tokens=8)
        for question in QUESTIONS
    ]
    edit = [Edit("gaussian", steps=[1], dose=1.0)]
    for batch, single in zip(many, singles, strict=True):
        assert batch.prompt == single.prompt
        a, b = engine.branch(batch, edit), engine.branch(single, edit)
        assert a.token_ids == b.token_ids
        assert difference(engine.logits(a), engine.logits(b)) <= 1e-4
        assert (batch.prompt.grid != (0, 0)) == (engine.hold(batch).patches is not None)
    before = [engine.logits(trace) for trace in many]
    engine.store.drop_live()
    for trace, logits in zip(many, before, strict=True):
        assert difference(engine.logits(trace), logits) <= 1e-4
    with_picture = [(a, b) for a, b in zip(many, singles, strict=True) if a.prompt.image_hash]
    for a, b in with_picture:
        assert difference(engine.patches(a), engine.patches(b)) <= 1e-4
