"""The training's forward pass is transformers' own, to rounding."""

import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from core import scenes
from core.training.batches import prompts, replies
from core.training.forward import pack, see
from core.training.passes import imagine, open_span, reply, settle
from core.training.pictures import patches, processor, shrink
from core.training.workshop import Workshop

CLOSE = 1e-5


@pytest.fixture
def model(shop: Workshop) -> Qwen2_5_VLForConditionalGeneration:
    return shop.model(shop.format("monet"), seed=3).eval()


def test_pictures_equal_the_shipped_processor() -> None:
    items = scenes.sample("plan", "validation", 5, 2) + scenes.sample("count", "validation", 5, 2)
    seen = processor()(images=[item.image for item in items], return_tensors="pt")
    assert seen["image_grid_thw"].tolist() == [[1, 8, 8]] * 4
    ours = patches([shrink(item.image) for item in items]).flatten(0, 1)
    assert torch.equal(ours, seen["pixel_values"])


@torch.no_grad()
def test_tower_equals_transformers(model: Qwen2_5_VLForConditionalGeneration) -> None:
    pixels = torch.randn(3, 64, 1176, generator=torch.Generator().manual_seed(0))
    grid = torch.tensor([[1, 8, 8]] * 3)
    theirs = model.model.get_image_features(pixels.flatten(0, 1), grid, return_dict=True)
    assert (torch.stack(list(theirs.pooler_output)) - see(model, pixels)).abs().max() <= CLOSE


@torch.no_grad()
def test_prompt_latents_and_reply_equal_one_uncached_pass(
    shop: Workshop, model: Qwen2_5_VLForConditionalGeneration
) -> None:
    format_, packed = shop.format("monet"), pack(model)
    questions = ["What colour is the star?", "Is the red object left of the blue object? Really?"]
    features = shop.watched.features[:2].float()
    opened = open_span(packed, format_, features, prompts(format_, questions))
    latents = imagine(packed, format_, opened, 4)
    guess = torch.zeros_like(latents)
    assert (settle(packed, format_, opened, guess, rounds=4) - latents).abs().max() <= CLOSE
    said, _ = replies([format_.reply("red"), format_.reply("row 2, column 3")])
    hidden, _ = reply(packed, format_, opened, latents, said)
    ours = torch.cat([opened.hidden[:, -1:], hidden], dim=1) @ packed.head.T
    image = model.config.image_token_id
    table = model.get_input_embeddings()
    for row, question in enumerate(questions):
        prompt = [*format_.prefix, *[image] * 16, *format_.rest(question)]
        ids = torch.tensor([prompt + [format_.pad] * 4 + said[row].tolist()])
        embeddings = table(ids)
        embeddings[ids == image] = features[row]
        embeddings[0, len(prompt) : len(prompt) + 4] = latents[row]
        grid = torch.tensor([[1, 8, 8]])
        kinds = (ids == image).int()
        positions, _ = model.model.get_rope_index(ids, kinds, image_grid_thw=grid)
        theirs = model(inputs_embeds=embeddings, position_ids=positions).logits
        assert (theirs[0, len(prompt) - 1 :] - ours[row]).abs().max() <= CLOSE


@torch.no_grad()
def test_whole_forward_from_pixels_equals_transformers(
    shop: Workshop, model: Qwen2_5_VLForConditionalGeneration
) -> None:
    format_ = shop.format("monet")
    item = scenes.sample("where", "validation", 1, 1)[0]
    image = model.config.image_token_id
    ids = torch.tensor([[*format_.prefix, *[image] * 16, *format_.rest(item.question)]])
    pixels = patches([shrink(item.image)])
    theirs = model(
        input_ids=ids,
        pixel_values=pixels[0],
        image_grid_thw=torch.tensor([[1, 8, 8]]),
        mm_token_type_ids=(ids == image).int(),
    ).logits[:, -1]
    packed = pack(model)
    opened = open_span(packed, format_, see(model, pixels), prompts(format_, [item.question]))
    assert (opened.first @ packed.head.T - theirs).abs().max() <= CLOSE
