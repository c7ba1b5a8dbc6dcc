"""Long prompts go through in parts, beginnings are read once: the same numbers either way."""

from pathlib import Path

import pytest
import torch

import core
from core.engine import Engine, passes, prefix
from core.engine.prompts import batched
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.test_cached_decode import QUESTIONS, difference

ASKED = ["What colour is the star?", "Where does the path lead?", "Up?"]


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("rows", [1, 8])
def test_a_prompt_in_chunks_gives_the_same_logits(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, kernel: str, rows: int
) -> None:
    engine = lab("monet-sft", kernel)
    inputs = batched([engine.prompt(*question).inputs for question in QUESTIONS[:rows]])
    whole = engine.passes.prefill(inputs)
    widest: list[int] = []
    language = engine.passes.language
    handle = language.layers[0].register_forward_pre_hook(
        lambda _, args, kwargs: widest.append(args[0].shape[1]), with_kwargs=True
    )
    monkeypatch.setattr(passes, "CHUNK", 7)
    parts = engine.passes.prefill(inputs)
    handle.remove()
    assert max(widest) == 7
    assert difference(whole.hidden, parts.hidden) <= 1e-4
    mask = inputs["attention_mask"].bool()[:, None, :, None]
    for (a, b), (c, d) in zip(whole.cache.prompt, parts.cache.prompt, strict=True):
        assert difference(a * mask, c * mask) <= 1e-4
        assert difference(b * mask, d * mask) <= 1e-4


@pytest.fixture
def fresh(workshop, monkeypatch: pytest.MonkeyPatch) -> Engine:  # type: ignore[no-untyped-def]
    """An engine of its own that reads every beginning of a picture by itself."""
    monkeypatch.setattr(prefix, "LEAST", 1)
    folder: Path = workshop("monet-sft", "")
    return core.load(folder, family="monet-sft", dtype="float32", device="cpu")


def test_a_kept_beginning_changes_no_bit(fresh: Engine) -> None:
    picture, options = tiny.picture(1), {"force_latents": True, "max_new_tokens": 8}
    cold = []
    for question in ASKED:
        fresh.passes.prefixes.clear()
        cold.append(fresh.run(picture, question, **options))
    fresh.passes.prefixes.clear()
    warm = [fresh.run(picture, question, **options) for question in ASKED]
    assert len(fresh.passes.prefixes) == 1
    for a, b in zip(cold, warm, strict=True):
        assert a.token_ids == b.token_ids
        assert torch.equal(fresh.logits(a), fresh.logits(b))


def test_a_beginning_is_read_once_and_stays_as_it_was(fresh: Engine) -> None:
    picture, options = tiny.picture(1), {"force_latents": True, "max_new_tokens": 6}
    read: list[int] = []
    handle = fresh.passes.language.layers[0].register_forward_pre_hook(
        lambda _, args, kwargs: read.append(args[0].shape[1]), with_kwargs=True
    )
    first = fresh.run(picture, ASKED[0], **options)
    slots = len(first.prompt.input_ids)
    assert sum(n for n in read if n > 1) == slots
    begun = read[0]
    read.clear()
    second = fresh.run(picture, ASKED[1], **options)
    assert sum(n for n in read if n > 1) == len(second.prompt.input_ids) - begun
    handle.remove()
    fresh.run(tiny.picture(2), ASKED[0], **options)
    assert len(fresh.passes.prefixes) == 2
    again = fresh.run(picture, ASKED[0], **options)
    assert torch.equal(fresh.logits(first), fresh.logits(again))


def test_a_beginning_read_by_itself_gives_the_same_logits(fresh: Engine) -> None:
    picture, options = tiny.picture(1), {"force_latents": True, "max_new_tokens": 8}
    apart = fresh.run(picture, ASKED[0], **options)
    fresh.passes.splits = False
    whole = fresh.run(picture, ASKED[0], **options)
    assert apart.token_ids == whole.token_ids
    assert difference(fresh.logits(apart), fresh.logits(whole)) <= 1e-4


def test_sixteen_bit_weights_are_read_out_in_float32(workshop) -> None:  # type: ignore[no-untyped-def]
    folder: Path = workshop("monet-sft", "")
    for dtype in ("bfloat16", "float16"):
        engine = core.load(folder, family="monet-sft", dtype=dtype, device="cpu")
        hidden = torch.randn(2, 3, engine.passes.width).to(engine.passes.unembedding.weight.dtype)
        exact = hidden.double() @ engine.passes.unembedding.weight.double().t()
        read = engine.passes.logits(hidden)
        assert read.dtype == torch.float32
        assert read.shape == exact.shape
        rounded = engine.passes.unembedding(hidden).double()
        assert (read - exact).abs().max() < 1e-5 < (rounded - exact).abs().max()


def test_beginnings_are_dropped_when_they_outgrow_their_room() -> None:
    kept = prefix.Prefixes(most_bytes=2 * 16 * 4 * 2)
    features = [torch.zeros(1) for _ in range(3)]
    pairs = [(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))]
    for one in features:
        kept.put(torch.tensor([1, 2]), one, pairs)
    assert len(kept) == 2
    assert kept.get(torch.tensor([1, 2]), features[0]) is None
    assert kept.get(torch.tensor([1, 2]), features[2]) is pairs
    assert kept.get(torch.tensor([1, 3]), features[2]) is None
