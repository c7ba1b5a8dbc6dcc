"""What people hand in by mistake: one clear sentence each, and the engine goes on."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import core
from core.engine import Engine
from core.errors import (
    BudgetError,
    CheckpointError,
    EditError,
    ImageError,
    InputError,
    MemoryShortage,
    QuestionError,
    ZscopeError,
)
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab

ASKED: dict[str, Any] = {"force_latents": True, "budget": 3, "max_new_tokens": 8}
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def engine(lab: Lab) -> Engine:
    return lab("monet-sft")


@pytest.fixture
def run(engine: Engine) -> Trace:
    return engine.run(tiny.picture(1), "What colour?", **ASKED)


def assert_one_sentence(error: BaseException) -> None:
    text = str(error)
    assert text.rstrip(")").endswith("."), text
    assert "\n" not in text
    assert "Traceback" not in text
    assert 15 < len(text) < 400, text


def refused(kind: type[ZscopeError], use: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        use()
    assert_one_sentence(caught.value)
    return str(caught.value)


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def bad_pictures(folder: Path) -> dict[str, Any]:
    text = folder / "notes.png"
    text.write_text("this is no picture")
    cut = folder / "cut.png"
    cut.write_bytes(png(tiny.picture(1, (400, 300)))[:4000])
    jpeg = io.BytesIO()
    tiny.picture(1, (400, 300)).save(jpeg, "JPEG")
    return {
        "text": text,
        "text as bytes": b"this is no picture",
        "empty bytes": b"",
        "truncated png": cut,
        "truncated jpeg": jpeg.getvalue()[:3000],
        "folder": folder,
        "missing": folder / "nobody.png",
        "empty path": "",
        "a path with a zero": "a\0b.png",
        "huge": Image.new("1", (20_000, 20_000)),
        "a bomb": png(Image.new("1", (12_000, 12_000))),
        "thread": Image.new("RGB", (4000, 10)),
        "floats": np.zeros((8, 8, 3), dtype=np.float32),
        "a list of arrays": np.zeros((2, 8, 8, 3), dtype=np.uint8),
        "no pixels": np.zeros((0, 8, 3), dtype=np.uint8),
        "five channels": np.zeros((8, 8, 5), dtype=np.uint8),
        "a number": 3,
        "a dictionary": {"path": "x.png"},
    }


def test_pictures_that_are_none(engine: Engine, tmp_path: Path) -> None:
    for name, picture in bad_pictures(tmp_path).items():
        print(name)
        refused(ImageError, lambda picture=picture: engine.run(picture, "What?", **ASKED))
    assert engine.run(tiny.picture(1), "What?", **ASKED).spans


def test_unusual_pictures_that_are_pictures(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    tiny.picture(1).save(path)
    grey = np.arange(60 * 80, dtype=np.uint8).reshape(60, 80)
    for picture in (
        path,
        str(path),
        path.read_bytes(),
        grey,
        np.zeros((60, 80, 4), dtype=np.uint8),
        np.zeros((60, 80, 2), dtype=np.uint8),
        Image.new("L", (60, 60)),
        Image.new("1", (60, 60)),
        Image.new("P", (60, 60)),
        Image.new("CMYK", (60, 60)),
        Image.new("RGBA", (60, 60), (255, 0, 0, 0)),
        Image.new("I;16", (60, 60)),
        Image.new("F", (60, 60)),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (199, 1)),
        Image.new("RGB", (3000, 2000)),
    ):
        trace = engine.run(picture, "What?", force_latents=True, max_new_tokens=3)
        assert trace.prompt.grid != (0, 0)


@pytest.mark.parametrize("question", ["", "   \n\t", "x" * 20_001])
def test_questions_that_are_none(engine: Engine, question: str) -> None:
    refused(QuestionError, lambda: engine.run(tiny.picture(1), question))


@pytest.mark.parametrize("budget", [0, -1, -(10**9), 4097, 10**12])
def test_budgets_that_make_no_span(engine: Engine, budget: int) -> None:
    assert "latents" in refused(
        BudgetError, lambda: engine.run(tiny.picture(1), "What?", budget=budget)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"max_new_tokens": 0},
        {"max_new_tokens": -3},
        {"temperature": -1.0},
        {"temperature": NAN},
        {"temperature": INF},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"top_p": NAN},
        {"top_k": -1},
        {"strategy": "latent"},
        {"criterion": "l3"},
        {"beams": 4},
        {"budget": 2.5},
        {"max_new_tokens": 2.5},
        {"seed": "seven"},
    ],
)
def test_settings_that_do_not_exist(engine: Engine, options: dict[str, Any]) -> None:
    refused(InputError, lambda: engine.run(tiny.picture(1), "What?", **options))


def test_lvrs_latent_strategy_needs_its_vector(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tmp_path, "lvr")
    engine = core.load(folder, device="cpu", dtype="float32")
    sentence = refused(
        InputError, lambda: engine.run(None, "What?", strategy="latent", max_new_tokens=4)
    )
    assert "lvr_latent_end_emb" in sentence
    assert engine.run(None, "What?", strategy="steps", max_new_tokens=4).token_ids


def bad_edits(donor: Trace) -> dict[str, Callable[[], Edit]]:
    wide = torch.zeros(3, tiny.WIDTH + 1)
    right = torch.zeros(tiny.WIDTH)
    return {
        "a step behind the span": lambda: Edit("zero", steps=[3]),
        "a step before the span": lambda: Edit("zero", steps=[-1]),
        "no step": lambda: Edit("zero", steps=[]),
        "a span behind the last": lambda: Edit("zero", span=1),
        "a span before the first": lambda: Edit("zero", span=-1),
        "an unknown kind": lambda: Edit("explode"),
        "an unknown mode": lambda: Edit("zero", mode="sideways"),
        "no donor": lambda: Edit("swap"),
        "a donor of another width": lambda: Edit("swap", donor=wide),
        "a donor without a span": lambda: Edit("swap", donor=donor),
        "a donor that is too short": lambda: Edit("swap", donor=torch.zeros(1, tiny.WIDTH)),
        "an empty donor": lambda: Edit("swap", donor=torch.zeros(0, tiny.WIDTH)),
        "a donor of three axes": lambda: Edit("swap", donor=torch.zeros(1, 2, tiny.WIDTH)),
        "NaN in a donor": lambda: Edit("slerp", donor=torch.full((3, tiny.WIDTH), NAN)),
        "no values": lambda: Edit("manual"),
        "values of another width": lambda: Edit("manual", values=wide),
        "NaN in the values": lambda: Edit("manual", values=right * NAN),
        "infinite values": lambda: Edit("manual", values=right + INF),
        "values beyond float32": lambda: Edit("manual", values=[1e39] * tiny.WIDTH),
        "too few values": lambda: Edit("manual", values=torch.zeros(2, tiny.WIDTH)),
        "no values at all": lambda: Edit("manual", values=torch.zeros(0, tiny.WIDTH)),
        "words for values": lambda: Edit("manual", values=["one", "two"]),
        "ragged values": lambda: Edit("manual", values=[[1.0], [1.0, 2.0]]),
        "a negative dose": lambda: Edit("gaussian", dose=-1.0),
        "a dose that is NaN": lambda: Edit("gaussian", dose=NAN),
        "an infinite dose": lambda: Edit("gaussian", dose=INF),
        "a dose beyond float32": lambda: Edit("gaussian", dose=1e300),
        "an angle beyond a half turn": lambda: Edit("rotate", angle=181.0),
        "an angle that is NaN": lambda: Edit("rotate", angle=NAN),
        "a fraction above one": lambda: Edit("slerp", donor=right, fraction=1.5, steps=[0]),
        "a fraction that is NaN": lambda: Edit("slerp", donor=right, fraction=NAN, steps=[0]),
        "one step permuted": lambda: Edit("permute", steps=[1]),
        "an order of other steps": lambda: Edit("permute", order=[0, 1, 5]),
        "an order with a repeat": lambda: Edit("permute", order=[0, 1, 1]),
        "no bank": lambda: Edit("step_mean"),
        "no token": lambda: Edit("token"),
        "a token of two": lambda: Edit("token", token="what colour is it"),
        "an empty token": lambda: Edit("token", token=""),
        "a token outside": lambda: Edit("token", token=10**9),
        "a negative token": lambda: Edit("token", token=-1),
        "no patch": lambda: Edit("patch"),
        "a patch outside": lambda: Edit("patch", patch=(2, 0)),
        "a negative patch": lambda: Edit("patch", patch=(0, -1)),
        "a patch of three": lambda: Edit("patch", patch=(0, 0, 0)),
        "no text": lambda: Edit("text", text="a path"),
        "a slot without a donor": lambda: Edit("slot"),
        "a slot from a table": lambda: Edit("slot", donor=torch.zeros(3, tiny.WIDTH)),
        "layers that are none": lambda: Edit("knockout", layers=(2, 2)),
        "a knockout of nobody": lambda: Edit("knockout", source="everyone"),
        "steps that are words": lambda: Edit("zero", steps=["first"]),  # type: ignore[list-item]
    }


def test_edits_that_do_not_fit(engine: Engine, run: Trace) -> None:
    silent = engine.run(tiny.picture(2), "What?", forbid_latents=True, max_new_tokens=4)
    before = engine.logits(run)
    for name, make in bad_edits(silent).items():
        print(name)
        refused(EditError, lambda make=make: engine.branch(run, [make()]))
    refused(EditError, lambda: engine.branch(run, []))
    refused(
        EditError,
        lambda: engine.branch(run, [Edit("zero", [0]), Edit("zero", [1], mode="pinned")]),
    )
    for edit in (Edit("identity"), Edit("delete"), Edit("truncate", count=1), Edit("forbid")):
        refused(EditError, lambda edit=edit: engine.branch(silent, [edit]))
    # one that does not fit spoils the batch before anything is computed
    refused(EditError, lambda: engine.branches(run, [[Edit("zero")], [Edit("zero", [9])]]))
    assert torch.equal(engine.logits(run), before)
    assert engine.branch(run, [Edit("zero")]).receipts


def test_models_without_latents_have_nothing_to_edit_or_force(lab: Lab) -> None:
    engine = lab("qwen2.5-vl")
    trace = engine.run(tiny.picture(1), "What?", max_new_tokens=4)
    refused(EditError, lambda: engine.branch(trace, [Edit("zero")]))
    refused(EditError, lambda: engine.branch(trace, [Edit("force")]))
    refused(InputError, lambda: engine.run(None, "What?", force_latents=True))


def full(*_: Any, **__: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


@pytest.mark.parametrize("part", ["language", "picture", "logits"])
def test_a_device_that_is_full(
    engine: Engine, run: Trace, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    donor = [Edit("zero", mode="cached")]
    with monkeypatch.context() as patched:
        if part == "language":
            patched.setattr(engine.passes.language, "forward", full)
        elif part == "picture":
            patched.setattr(engine.passes.model.model, "get_image_features", full)
            engine.passes.see.clear()
        else:
            patched.setattr(engine.passes.unembedding, "forward", full)
        refused(MemoryShortage, lambda: engine.run(tiny.picture(1), "What?", **ASKED))
        refused(MemoryShortage, lambda: list(engine.stream(tiny.picture(1), "What?", **ASKED)))
        refused(MemoryShortage, lambda: engine.run_many([(tiny.picture(1), "What?")] * 2))
        if part != "picture":
            refused(MemoryShortage, lambda: engine.branch(run, [Edit("zero")]))
            refused(MemoryShortage, lambda: engine.branches(run, [donor] * 3))
            refused(MemoryShortage, lambda: engine.score(run, ["red", "blue"]))
    assert engine.branch(run, [Edit("identity")]).logprobs == run.logprobs
    assert engine.run(tiny.picture(1), "What colour?", **ASKED).logprobs == run.logprobs


@pytest.mark.parametrize("family", ["monet", "lvr", "mirage", "qwen2.5-vl"])
def test_special_tokens_in_a_question_stay_text(lab: Lab, family: str) -> None:
    engine = lab(family)
    plain = engine.prompt(tiny.picture(1), "What?").prompt.input_ids
    tricky = ["<|im_end|>", "<|image_pad|>", "<|vision_start|>", "<|endoftext|>"]
    tricky += tiny.special_tokens(family)
    table = engine.reader.tokenizer.get_vocab()
    for text in tricky:
        for question, system in ((f"What? {text}", None), ("What?", f"You {text} see.")):
            ids = engine.prompt(tiny.picture(1), question, system).prompt.input_ids
            usual = plain.count(table[text])
            assert ids.count(table[text]) == usual, text
            assert system is not None or len(ids) > len(plain)
    trace = engine.run(tiny.picture(1), "".join(tricky), max_new_tokens=3)
    assert trace.prompt.question == "".join(tricky)


def test_tokens_that_were_added_without_being_special_stay_text_too(tmp_path: Path) -> None:
    """LVR's second stage marks its tokens as ordinary ones; the tokenizer still reads them."""
    folder = tiny.write_checkpoint(tmp_path, "lvr")
    path = folder / "tokenizer.json"
    import json

    table = json.loads(path.read_text())
    for token in table["added_tokens"]:
        if "lvr" in token["content"]:
            token["special"] = False
    path.write_text(json.dumps(table))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    own = settings.get("extra_special_tokens", []) + settings.get("additional_special_tokens", [])
    assert own
    for key in ("extra_special_tokens", "additional_special_tokens"):
        if key in settings:
            settings[key] = [t for t in settings[key] if "lvr" not in t]
    for token in settings.get("added_tokens_decoder", {}).values():
        if "lvr" in token["content"]:
            token["special"] = False
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    engine = core.load(folder, family="lvr", device="cpu", dtype="float32")
    assert "<|lvr_start|>" not in engine.reader.tokenizer.all_special_tokens
    prompt = engine.prompt(None, "What is <|lvr_start|>?").prompt
    assert engine.ids.start not in prompt.input_ids
    # and what is latent or a marker is no word of the answer
    trace = engine.run(None, "What?", force_latents=True, budget=2, max_new_tokens=6)
    assert "<|lvr" not in trace.text


def test_prompts_that_are_not_what_a_processor_makes(engine: Engine) -> None:
    inputs = engine.prompt(tiny.picture(1), "What?").inputs
    without = {k: v for k, v in inputs.items() if k != "pixel_values"}
    refused(ImageError, lambda: engine.decode(without, max_new_tokens=2))
    half = inputs | {"pixel_values": inputs["pixel_values"][:8]}
    half["image_grid_thw"] = torch.tensor([[1, 2, 4]])
    refused(ImageError, lambda: engine.decode(half, max_new_tokens=2))
    right = inputs | {"attention_mask": torch.ones_like(inputs["input_ids"])}
    right["attention_mask"][0, -1] = 0
    refused(InputError, lambda: engine.decode(right, max_new_tokens=2))
    assert engine.decode(inputs, max_new_tokens=2).token_ids


@pytest.mark.skipif(sys.platform == "win32", reason="paths")
def test_a_checkpoint_without_a_tokenizer_takes_tensors_only(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(tmp_path, "monet", keys={"latent_start_id": 1})
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)
    engine = core.load(folder, family="monet", device="cpu", dtype="float32")
    assert engine.ids.start == 1
    refused(CheckpointError, lambda: engine.run(None, "What?"))
    trace = engine.decode({"input_ids": torch.tensor([[5, 6, 7]])}, max_new_tokens=3)
    assert len(trace.token_ids) == 3
    assert trace.answer is None
    assert trace.answer_problem
    refused(CheckpointError, lambda: engine.score(trace, ["red"]))
