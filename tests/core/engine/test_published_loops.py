"""Hundreds of scripted runs: the engine against each published loop, written out one by one."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import core
from core.engine import Engine
from tests.core.engine import published, tiny
from tests.core.engine.published import Asked, Record, Stock
from tests.core.engine.scripts import GREEDY, Saying, letters

SCRIPTS = 24  # random ones per loop


@dataclass(frozen=True)
class Loop:
    """A published loop, the checkpoint it runs on and what the engine calls it."""

    family: str
    reference: Callable[[Stock, Asked], Record]
    divided: bool = False
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


END = tiny.latent_end()
HEADED = {"lvr_head": True}
LOOPS = {
    "monet": Loop("monet", published.monet_vllm),
    "monet-sft": Loop("monet-sft", published.seed_sample),
    "mirage": Loop("mirage", published.mirage_sample, divided=True),
    "seed": Loop("capimagine-loop", published.seed_sample, divided=True),
    "ilvr": Loop("ilvr", published.ilvr_sample, divided=True),
    "lvr-steps": Loop("lvr", published.lvr_steps),
    "lvr-steps-simple-head": Loop(
        "lvr", published.lvr_steps, tensors=tiny.simple_head(), keys=HEADED
    ),
    "lvr-steps-glu-head": Loop(
        "lvr",
        published.lvr_steps,
        tensors=tiny.gated_head(),
        keys=HEADED | {"lvr_head_type": "glu"},
    ),
    **{
        f"lvr-latent-{criterion}{'-head' if head else ''}": Loop(
            "lvr",
            partial(published.lvr_latent, criterion=criterion),
            tensors=END | head,
            keys={"latent_end_token": True, "lvr_head": bool(head)},
            options={"strategy": "latent", "criterion": criterion},
        )
        for criterion, head in (
            ("mse", {}),
            ("mae", {}),
            ("cosine", {}),
            ("mse", tiny.simple_head()),
        )
    },
    "skila": Loop("skila", published.skila_sample),
    "laser": Loop("laser", published.laser_dynamic),
}

# What the sampler is made to say; see tests/core/engine/scripts.py for the letters.
NAMED = {
    "plain text": "xxxx",
    "counted out": "xxSxxxxxxxxxxxxx",
    "ended at once": "xSExxx",
    "ended after one": "xSxExxx",
    "ended after two": "xSxxExxx",
    "ended just before the count": "xSxxxxExx",
    "two spans, counted": "SxxxxxxxxxSxxxxxxxxx",
    "two spans, ended": "xSxExxSxxExxx",
    "ended, then counted": "xSxExxSxxxxxxxxxx",
    "counted, then ended": "xSxxxxxxxxxSxxExxx",
    "three spans at once": "SSSxExSxExSE",
    "start inside": "xSxSxxxxxxxxxx",
    "start inside, then ended": "xSxxSxxExxx",
    "start as the last inside": "xSxxxSxxxxxxx",
    "end of text inside": "xSxQxxxxxxxx",
    "end of text at once": "SQxxxxx",
    "end of text behind": "xSxxExQ",
    "end of text first": "Qxxx",
    "end in plain text": "xExxSxxxxxxxxxx",
    "end in plain text, twice": "xExExSxxExxxSxxxExx",
    "pad in plain text": "xPxSxxPxxxPx",
    "equal samples inside": "xSyyyyyyyy",
    "equal samples later": "xSxyxyyyxxxx",
    "greedy inside": "xS..........",
}


@dataclass(repr=False)
class Pair:
    """One loop, ready to run both ways."""

    loop: Loop
    engine: Engine
    stock: Stock
    prompts: dict[str, dict[str, Tensor]]


@pytest.fixture(scope="module", params=sorted(LOOPS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    loop = LOOPS[request.param]
    folder: Path = tiny.write_checkpoint(
        tmp_path_factory.mktemp(request.param),
        loop.family,
        seed=11,
        keys=loop.keys,
        extra=loop.tensors,
    )
    engine = core.load(folder, family=loop.family, dtype="float32", attention="eager", device="cpu")
    prompts = {
        "words": engine.prompt(None, "What is the answer?").inputs,
        "picture": engine.prompt(tiny.picture(1), "What colour?").inputs,
    }
    prompts["words, start token last"] = _ending_in(prompts["words"], engine.ids.start)
    prompts["picture, start token last"] = _ending_in(prompts["picture"], engine.ids.start)
    return Pair(loop, engine, Stock(folder, loop.divided), prompts)


def _ending_in(inputs: dict[str, Tensor], token: int) -> dict[str, Tensor]:
    out = dict(inputs)
    out["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([[token]])], dim=1)
    for name, value in (("attention_mask", 1), ("mm_token_type_ids", 0)):
        column = torch.full((1, 1), value, dtype=inputs[name].dtype)
        out[name] = torch.cat([inputs[name], column], dim=1)
    return out


def compare(pair: Pair, script: str, prompt: str, budget: int, longest: int) -> str | None:
    """Decode ``script`` both ways; None when they agree, else what differs."""
    inputs, ids = pair.prompts[prompt], pair.engine.ids
    meaning = letters(pair.engine)

    def sample(place: int, logits: Tensor) -> int:
        letter = script[place : place + 1] or GREEDY
        return int(logits.argmax()) if letter == GREEDY else meaning[letter]

    ask = Asked(inputs, sample, ids.start, ids.end, ids.pad, ids.eos, longest, budget)
    options = dict(pair.loop.options)
    if options.get("strategy") == "latent":
        options["end_threshold"] = _threshold(pair, ask, len(script) + budget)
        wanted = pair.loop.reference(pair.stock, ask, threshold=options["end_threshold"])  # type: ignore[call-arg]
    elif pair.loop.family == "laser":
        answer = pair.engine.reader.encode("<answer>")[0]
        wanted = pair.loop.reference(pair.stock, ask, answer_start=answer)  # type: ignore[call-arg]
    else:
        wanted = pair.loop.reference(pair.stock, ask)
    got = pair.engine.decode(
        inputs,
        logits_processor=Saying(pair.engine, inputs["input_ids"], [script]),
        max_new_tokens=longest,
        budget=budget,
        keep_logits=True,
        **options,
    )
    return _difference(got, wanted)


def _threshold(pair: Pair, ask: Asked, turn: int) -> float:
    """A threshold that some, but not all, of this run's distances fall under."""
    seen = pair.loop.reference(pair.stock, ask, threshold=-9.0).distances  # type: ignore[call-arg]
    if not seen or turn % 5 == 0:
        return 1000.0 if turn % 2 else -9.0
    ordered = sorted(set(seen))
    at = turn % len(ordered)
    return ordered[at] + 1e-4 if at + 1 == len(ordered) else (ordered[at] + ordered[at + 1]) / 2


def _difference(got: core.Trace, wanted: Record) -> str | None:
    if list(got.token_ids) != wanted.tokens:
        return f"ids {list(got.token_ids)} instead of {wanted.tokens}"
    flags = [*wanted.latent, False]  # the last token was recorded, never consumed
    if list(got.is_latent) != flags:
        return f"latent slots {list(got.is_latent)} instead of {flags}"
    for span in got.spans:
        for k, vector in enumerate(span.latents):
            error = float((vector - wanted.fed[span.start + k]).abs().max())
            if error > 1e-4:
                return f"the vector fed at place {span.start + k} is off by {error:.1e}"
    error = float((got.logits - torch.stack(wanted.logits)).abs().max())
    return f"logits off by {error:.1e}" if error > 1e-3 else None


@pytest.mark.parametrize("script", NAMED.values(), ids=NAMED.keys())
def test_a_named_script_is_decoded_as_published(pair: Pair, script: str) -> None:
    difference = compare(pair, script, "picture", budget=4, longest=len(script))
    assert difference is None, difference


@pytest.mark.parametrize("prompt", ["words, start token last", "picture, start token last"])
def test_a_prompt_that_ends_in_the_start_token_is_read_as_published(
    pair: Pair, prompt: str
) -> None:
    for script in ("xxxxxxxx", "xExxSxxxxx", "QxxSxEx", "SxxxxxxxE"):
        difference = compare(pair, script, prompt, budget=4, longest=len(script))
        assert difference is None, f"{script}: {difference}"


@pytest.mark.parametrize("longest", [1, 2, 3, 5, 7])
def test_running_out_of_tokens_is_as_published(pair: Pair, longest: int) -> None:
    for script in ("xSxxxxxxxxxxx", "xSxExSxxxxxxxx"):
        difference = compare(pair, script, "picture", budget=3, longest=longest)
        assert difference is None, difference


def test_random_scripts_are_decoded_as_published(pair: Pair) -> None:
    chance = random.Random(f"{pair.loop.family}{sorted(pair.loop.options)}")
    wrong = []
    for turn in range(SCRIPTS):
        length = chance.randint(1, 18)
        script = "".join(chance.choices("SEPQxy.", weights=[4, 3, 1, 1, 5, 2, 3], k=length))
        prompt = chance.choice(sorted(pair.prompts))
        budget = chance.choice([1, 2, 3, 5, 8])
        longest = chance.randint(1, 14)
        difference = compare(pair, script, prompt, budget, longest)
        if difference is not None:
            wrong.append(f"{turn}: {script} ({prompt}, K={budget}, {longest}): {difference}")
    assert not wrong, "\n".join(wrong)
