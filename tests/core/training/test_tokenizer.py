"""The common vocabulary, and each family's own tokens in their published order."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer, Qwen2Tokenizer

from core import scenes
from core.training.formats import TOKENS
from core.training.workshop import Workshop


def test_any_text_makes_the_round_trip(shop: Workshop) -> None:
    words = shop.format("monet").tokenizer
    for text in (
        "Where is the star?",
        "Grüße, 世界 \u00a0\t🙂\n\n  end ",
        "\\boxed{row 2, column 3}",
    ):
        assert words.decode(words(text)["input_ids"]) == text


@pytest.mark.parametrize("family", sorted(TOKENS))
def test_family_tokens_are_special_and_in_published_order(
    shop: Workshop, family: str, tmp_path: Path
) -> None:
    shop.format(family).tokenizer.save_pretrained(tmp_path)
    words = AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(words, Qwen2Tokenizer)
    ids = words.convert_tokens_to_ids(list(TOKENS[family]))
    assert ids == list(range(len(words) - len(ids), len(words)))
    assert set(TOKENS[family]) <= set(words.all_special_tokens)
    assert words.chat_template == shop.format("monet").tokenizer.chat_template


def test_ordinary_scene_words_are_one_token_each(shop: Workshop) -> None:
    words = shop.format("qwen2.5-vl").tokenizer
    for word in scenes.WORDS:
        if word.isalpha() and word.islower():
            assert len(words(" " + word)["input_ids"]) == 1


def test_a_move_is_one_token_wherever_it_stands(shop: Workshop) -> None:
    format_ = shop.format("qwen2.5-vl")
    said = format_.tokenizer.convert_ids_to_tokens(format_.reply("R,U,D"))
    assert said == ["\\boxed", "{", "R", ",U", ",D", "}", "<|im_end|>"]
