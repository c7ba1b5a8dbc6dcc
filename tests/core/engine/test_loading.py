"""Checkpoints that are not what they seem: each is told in one sentence that names the culprit."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import core
from core.errors import BudgetError, CheckpointError, FamilyError, InputError, ZscopeError
from tests.core.engine import tiny
from tests.core.engine.test_bad_input import assert_one_sentence

Workshop = Callable[..., Path]


@pytest.fixture
def folder(workshop: Workshop, tmp_path: Path) -> Path:
    """A copy of a good Monet checkpoint to be spoilt."""
    return Path(shutil.copytree(workshop("monet"), tmp_path / "monet"))


def refused(kind: type[ZscopeError], source: str | Path, **given: str) -> str:
    with pytest.raises(kind) as caught:
        core.load(source, **{"device": "cpu", "dtype": "float32", **given})
    assert_one_sentence(caught.value)
    return str(caught.value)


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def configure(folder: Path, **keys: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_the_good_one_loads(folder: Path) -> None:
    engine = core.load(folder, device="cpu", dtype="float32")
    assert engine.family.name == "monet"
    assert engine.ids.start == engine.reader.tokenizer.get_vocab()["<abs_vis_token>"]
    assert core.load(str(folder), family="capimagine", device="cpu").family.name == "capimagine"


def test_a_hub_id_that_cannot_be_reached() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert "network" in refused(CheckpointError, "nobody-at-all/no-such-model")
    refused(CheckpointError, "no such place")
    refused(CheckpointError, "/no/such/folder")
    refused(CheckpointError, "")


def test_places_that_are_no_checkpoint(tmp_path: Path) -> None:
    assert "config.json" in refused(CheckpointError, tmp_path)
    (tmp_path / "file").write_text("x")
    assert "folder" in refused(CheckpointError, tmp_path / "file")
    for text in ("", "{", "[]", "null", '"x"', "{}", '{"model_type": 3}'):
        (tmp_path / "config.json").write_text(text)
        refused(CheckpointError, tmp_path)


def test_another_architecture(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    assert "llama" in refused(CheckpointError, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "of-the-future"}))
    refused(CheckpointError, folder)


def test_no_weights_and_pickled_weights(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    assert "no weights" in refused(CheckpointError, folder)
    torch.save(tensors, folder / "pytorch_model.bin")
    assert "pickle" in refused(CheckpointError, folder)


class Boom:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_never_opened(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    trap = folder / "sprung"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Boom(trap)))
    refused(CheckpointError, folder)
    assert not trap.exists()


def test_damaged_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[: len(whole) // 2], b"\xff" * 1000):
        path.write_bytes(content)
        refused(CheckpointError, folder)


def test_a_missing_weight_is_named(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    assert "layers.1.mlp.up_proj.weight" in refused(CheckpointError, folder)


def test_an_unexpected_weight_is_named(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors.update({"extra.weight": torch.zeros(2)}))
    assert "extra.weight" in refused(CheckpointError, folder)


def test_a_weight_of_another_shape_is_named(folder: Path) -> None:
    def cut(tensors: dict[str, Tensor]) -> None:
        tensors["lm_head.weight"] = tensors["lm_head.weight"][:, :-1].contiguous()

    rewrite(folder, cut)
    assert "lm_head.weight" in refused(CheckpointError, folder)


def test_a_family_whose_tokens_are_not_there(folder: Path) -> None:
    sentence = refused(FamilyError, folder, family="mirage")
    assert "<|latent_start|>" in sentence
    assert "monet" in sentence
    assert "monet-sft" in refused(FamilyError, folder, family="monnet")


def test_tokens_of_two_families(tmp_path: Path) -> None:
    both = [*tiny.special_tokens("monet"), *tiny.special_tokens("mirage")]
    folder = tiny.write_checkpoint(tmp_path, "monet", tokens=both)
    sentence = refused(FamilyError, folder)
    assert "monet" in sentence
    assert "mirage" in sentence
    assert core.load(folder, family="mirage", device="cpu").ids.pad >= 0


def test_other_words_for_device_dtype_and_attention(folder: Path) -> None:
    refused(InputError, folder, device="toaster")
    refused(InputError, folder, dtype="float7")
    refused(CheckpointError, folder, attention="telepathy")
    if not torch.cuda.is_available():
        assert "cpu" in refused(InputError, folder, device="cuda")


def test_a_damaged_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    refused(CheckpointError, folder)


def test_a_missing_image_processor(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    refused(CheckpointError, folder)


def test_a_tokenizer_of_a_larger_model(workshop: Workshop, folder: Path) -> None:
    def cut(tensors: dict[str, Tensor]) -> None:
        for name in ("lm_head.weight", "model.embed_tokens.weight"):
            tensors[name] = tensors[name][:300].contiguous()

    rewrite(folder, cut)
    settings = json.loads((folder / "config.json").read_text())
    settings["text_config"]["vocab_size"] = 300
    (folder / "config.json").write_text(json.dumps(settings))
    assert "output layer" in refused(CheckpointError, folder)


def test_heads_that_do_not_fit(tmp_path: Path) -> None:
    cases: dict[str, tuple[bool, dict[str, Tensor]]] = {
        "promised": (True, {}),
        "unnamed": (False, tiny.simple_head()),
        "strange": (True, {"lvr_head.what.weight": torch.zeros(2, 2)}),
        "half": (True, {k: v for k, v in tiny.simple_head().items() if "ln_q" not in k}),
        "narrow": (True, tiny.simple_head(width=16)),
    }
    for name, (promised, tensors) in cases.items():
        print(name)
        folder = tiny.write_checkpoint(
            tmp_path / name, "lvr", keys={"lvr_head": promised}, extra=tensors
        )
        refused(CheckpointError, folder)
    end = {"lvr_latent_end_emb": torch.zeros(7)}
    refused(CheckpointError, tiny.write_checkpoint(tmp_path / "end", "lvr", extra=end))


def test_a_head_on_another_familys_checkpoint(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tmp_path, "monet", extra=tiny.simple_head())
    assert "lvr_head" in refused(CheckpointError, folder)


def test_the_budget_of_the_checkpoint_counts(tmp_path: Path) -> None:
    skila = tiny.write_checkpoint(tmp_path / "a", "skila", keys={"sketch_token_num": 5})
    assert core.load(skila, device="cpu").budget == 10
    refused(
        BudgetError, tiny.write_checkpoint(tmp_path / "b", "skila", keys={"sketch_token_num": 0})
    )
    own = tiny.write_checkpoint(tmp_path / "c", "monet", keys={"zscope": {"budget": 6}})
    assert core.load(own, device="cpu").budget == 6
    ilvr = tiny.write_checkpoint(tmp_path / "d", "ilvr", keys={"latent_size": 7})
    assert core.load(ilvr, family="ilvr", device="cpu").budget == 7
    assert core.load(ilvr, family="mirage", device="cpu").budget == 8


def test_both_key_layouts_load_the_same_model(workshop: Workshop, folder: Path) -> None:
    old = core.load(workshop("monet"), device="cpu", dtype="float32")

    def rename(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            if name.startswith("visual."):
                tensors["model." + name] = tensors.pop(name)
            elif name.startswith("model."):
                new = name.replace("model.", "model.language_model.", 1)
                tensors[new] = tensors.pop(name)

    rewrite(folder, rename)
    new = core.load(folder, device="cpu", dtype="float32")
    asked = (tiny.picture(1), "What colour?")
    a, b = (e.run(*asked, force_latents=True, max_new_tokens=6) for e in (old, new))
    assert a.token_ids == b.token_ids
    assert a.logprobs == b.logprobs


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_dtype_runs_and_its_identity_is_bit_equal(workshop: Workshop, dtype: str) -> None:
    engine = core.load(workshop("lvr", "simple"), device="cpu", dtype=dtype)
    run = engine.run(tiny.picture(1), "What?", force_latents=True, budget=4, max_new_tokens=9)
    assert run.settings.dtype == dtype
    assert run.spans[0].latents.dtype == torch.float32
    for mode in ("propagate", "pinned", "cached"):
        child = engine.branch(run, [core.Edit("identity", mode=mode)])
        assert child.logprobs == run.logprobs
        assert child.receipts[0].hidden_change == 0.0


def test_fewer_bits_need_their_library_and_say_so(workshop, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("core.engine.loading.find_spec", lambda _: None)
    for stored in ("8bit", "4bit"):
        with pytest.raises(InputError, match="bitsandbytes; install it"):
            core.load(workshop("monet"), family="monet", device="cpu", dtype=stored)


def test_fewer_bits_spare_the_output_layer_and_the_vision_tower(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the library: which layers transformers would turn can be seen without it."""
    from transformers.quantizers.quantizers_utils import should_convert_module

    from core.engine.device import choose
    from core.engine.loading import quantisation

    monkeypatch.setattr("core.engine.loading.find_spec", lambda _: object())
    choice = choose("cpu", "4bit")
    told = quantisation(choice)["quantization_config"]
    assert choice.dtype_name == "4bit"
    assert told.load_in_4bit
    assert told.bnb_4bit_compute_dtype == choice.dtype
    model = core.load(workshop("monet"), family="monet", device="cpu").passes.model
    linear = [name for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    turned = [n for n in linear if should_convert_module(n, told.llm_int8_skip_modules)]
    assert turned == [n for n in linear if n.startswith("model.language_model.")]
    assert any(n.startswith("model.visual.") for n in linear)
    assert "lm_head" in linear
    assert quantisation(choose("cpu", "8bit"))["quantization_config"].load_in_8bit
    assert quantisation(choose("cpu", "float32")) == {}


def test_all_gpus_need_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.engine.device import choose

    with pytest.raises(InputError, match="two GPUs"):
        choose("all", "float32")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert choose("all", "float32").device == "all"
