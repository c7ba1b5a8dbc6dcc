"""Real input: the VSP maps that Mirage's authors publish, picture and prompt, through an engine."""

from pathlib import Path

import pytest

from core.scenes import vsp
from core.scenes.vsp import VspItem
from tests.core.engine.conftest import Lab

EVERY = 25  # of 400: sixteen, from all levels


@pytest.fixture(scope="module")
def maps(shared: Path) -> list[VspItem]:
    archive = shared / "data" / "vsp_spatial_planning_test.tar.gz"
    if not archive.exists():
        pytest.skip("needs the VSP test set in ../shared/data, which is not here")
    return list(vsp.read(archive))


@pytest.mark.parametrize("family", ["mirage", "monet", "lvr", "qwen2.5-vl"])
def test_published_maps_and_prompts_run(lab: Lab, maps: list[VspItem], family: str) -> None:
    assert len(maps) == 400
    engine = lab(family)
    sample = maps[::EVERY]
    questions = [(item.image, item.text_input) for item in sample]
    given = {"force_latents": True} if engine.family.latent else {}
    together = engine.run_many(questions, max_new_tokens=14, **given)
    image = engine.processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    for item, trace in zip(sample, together, strict=True):
        text, (rows, columns) = trace.prompt.text, trace.prompt.grid
        assert trace.prompt.question == item.text_input
        assert trace.prompt.image_size == item.image.size
        assert trace.prompt.input_ids.count(image) == rows * columns
        # the picture stands where the published prompt puts it
        before, _, after = item.text_input.partition("<image>")
        assert before + "<|vision_start|>" in text
        assert "<|vision_end|>" + after in text
        assert bool(trace.spans) == engine.family.latent
        assert item.is_correct(trace.text) in (True, False)
    one = engine.run(*questions[3], max_new_tokens=14, **given)
    assert one.token_ids == together[3].token_ids
