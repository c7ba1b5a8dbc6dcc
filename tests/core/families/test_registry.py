"""Which family a checkpoint belongs to: by token strings, config keys, never by numbers."""

import pytest

from core import families
from core.errors import FamilyError
from core.families import Family, Vocabulary, registry

MONET = ["<abs_vis_token>", "</abs_vis_token>", "<abs_vis_token_pad>"]
MIRAGE = ["<|latent_start|>", "<|latent_end|>", "<|latent_pad|>"]
LVR = ["<|lvr_start|>", "<|lvr_end|>", "<|lvr|>", "<|lvr_latent_end|>"]
SKILA = ["<|sketch_start|>", "<|sketch_end|>", "<|skila|>"]
LASER = ["<|laser_start|>", "<|laser_end|>"]


def test_the_families_that_are_promised_are_there() -> None:
    promised = {
        "monet", "monet-sft", "mirage", "lvr", "capimagine-loop", "capimagine", "qwen2.5-vl",
        "skila", "ilvr", "laser",
    }  # fmt: skip
    assert promised <= set(families.names())
    for name in families.names():
        family = families.get(name)
        assert family.title
        assert family.summary
        assert family.needs
        assert family.source
        assert family.latent == bool(family.vocabularies)
        assert not family.latent or family.budget >= 1


@pytest.mark.parametrize(
    ("tokens", "name"),
    [(MONET, "monet"), (MIRAGE, "mirage"), (LVR, "lvr"), (SKILA, "skila"), (LASER, "laser")],
)
def test_a_family_is_known_by_its_tokens(tokens: list[str], name: str) -> None:
    assert families.detect(["<|im_start|>", *tokens], {}).name == name


def test_without_special_tokens_it_is_a_plain_model() -> None:
    assert families.detect(["<|im_start|>", "<|image_pad|>"], {}).name == "qwen2.5-vl"
    # half a vocabulary is none
    assert families.detect(MONET[:2], {}).name == "qwen2.5-vl"


def test_tokens_of_two_families_are_not_guessed_at() -> None:
    with pytest.raises(FamilyError, match="monet") as caught:
        families.detect([*MONET, *LVR], {})
    assert "lvr" in str(caught.value)
    # the config's own keys settle it
    assert families.detect([*MONET, *LVR], {"lvr_start_id": 7}).name == "lvr"
    assert families.detect([], {"lvr_head": False}).name == "lvr"
    assert families.detect([], {"compress_strategy": "average"}).name == "mirage"


def test_a_checkpoint_may_say_it_itself() -> None:
    assert families.detect(MONET, {"zscope": {"family": "monet-sft"}}).name == "monet-sft"
    with pytest.raises(FamilyError, match="unknown"):
        families.detect(MONET, {"zscope": {"family": "nobody"}})


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(FamilyError) as caught:
        families.get("monnet")
    assert "monet-sft" in str(caught.value)


def test_a_third_party_registers_through_the_same_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_families", dict(registry._families))
    mine = Family(
        "mine",
        "Mine",
        "Mine.",
        vocabularies=(Vocabulary(start="<go>", end="<stop>", pad="<pad>"),),
        trigger="sampled",
        budget=3,
        exits=("count", "end token"),
    )
    families.register(mine)
    families.register(mine)  # the same again is no conflict
    assert families.detect(["<go>", "<stop>", "<pad>"], {}) is mine
    with pytest.raises(ValueError, match="registered already"):
        families.register(Family("mine", "Other", "Other."))
