"""Option scores against log-probabilities of one naive pass over the whole text."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from core.engine import Engine, together
from core.errors import InputError
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.test_cached_decode import recomputed

OPTIONS = ["red", "blue", "three green stars", "up"]


def saying_text(engine: Engine, text: str, longest: int) -> Trace:
    """A run that imagines two latents and then says ``text``."""
    inputs = engine.prompt(tiny.picture(1), "What colour?").inputs
    lead = engine.forced_start()
    words = engine.reader.encode(text)
    length = inputs["input_ids"].shape[1]
    first = max(lead) + 1
    slots = 3 if engine.family.start_slot == "embed" else 2  # pads or junk, and the end token
    said = {first + slots + at: token for at, token in enumerate(words)}

    def force(input_ids: Tensor, scores: Tensor) -> Tensor:
        token = said.get(input_ids.shape[1] - length)
        if token is None:
            return scores
        out = torch.full_like(scores, float("-inf"))
        out[:, token] = 0
        return out

    trace: Trace = engine.decode(
        inputs, logits_processor=force, max_new_tokens=longest, budget=2, force_latents=True
    )
    return trace


def naive(engine: Engine, trace: Trace, option: str, lead: str, start: int) -> float:
    """Σ log p of ``lead`` + option + closing behind the first ``start`` recorded tokens."""
    ids = engine.reader.encode(lead + option + engine.family.answer_closing)
    whole = [*trace.token_ids[:start], *ids, 0]  # the last one is never fed
    text = Trace(**{**vars(trace), "token_ids": tuple(whole)})
    logprobs = recomputed(engine, engine.hold(trace).inputs, text).log_softmax(-1)
    return sum(float(logprobs[start + at, token]) for at, token in enumerate(ids))


def words_behind(engine: Engine, trace: Trace) -> int:
    """Place of the first word behind the span's end token."""
    return max(p for p, t in enumerate(trace.token_ids) if t == engine.ids.end) + 1


def assert_same_gaps(scores: dict[str, float], wanted: Sequence[float]) -> None:
    """What all options share may be left out of a score, but not of the naive sum."""
    ours = torch.tensor(list(scores.values()), dtype=torch.float64)
    theirs = torch.tensor(wanted, dtype=torch.float64)
    assert float(((ours - ours[0]) - (theirs - theirs[0])).abs().max()) <= 1e-3
    assert bool((ours <= 0).all())


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["monet", "monet-sft", "skila"])
@pytest.mark.parametrize("said", ["The answer is \\boxed{blue}", "The answer is \\boxed{", "The"])
def test_options_are_scored_in_the_place_of_the_answer(
    lab: Lab, family: str, kernel: str, said: str
) -> None:
    engine = lab(family, kernel)
    trace = saying_text(engine, said, 4 + len(engine.reader.encode(said)))
    start = words_behind(engine, trace)
    text = engine.reader.decode(list(trace.token_ids[start:]))
    assert text.startswith(said)
    cut = text.rfind("\\boxed{")
    lead = text + "\\boxed{" if cut < 0 else text[: cut + len("\\boxed{")]
    wanted = [naive(engine, trace, option, lead, start) for option in OPTIONS]
    assert_same_gaps(engine.score(trace, OPTIONS), wanted)


def test_a_branch_is_scored_after_its_own_latents(lab: Lab) -> None:
    engine = lab("monet-sft")
    trace = saying_text(engine, "The answer is \\boxed{blue}", 20)
    before = engine.score(trace, OPTIONS)
    child = engine.branch(trace, [Edit("gaussian", dose=2.0, mode="pinned")])
    start = words_behind(engine, child)
    text = engine.reader.decode(list(child.token_ids[start:]))
    lead = text[: text.rfind("\\boxed{") + len("\\boxed{")]
    wanted = [naive(engine, child, option, lead, start) for option in OPTIONS]
    assert_same_gaps(engine.score(child, OPTIONS), wanted)
    assert engine.score(child, OPTIONS) != before
    assert engine.score(trace, OPTIONS) == before
    same = engine.branch(trace, [Edit("identity")])
    assert engine.score(same, OPTIONS) == before
    engine.store.drop_live()
    assert engine.score(trace, OPTIONS) == before


def test_options_that_begin_alike_are_told_apart(lab: Lab) -> None:
    engine = lab("monet-sft")
    trace = saying_text(engine, "The answer is \\boxed{blue}", 20)
    scores = engine.score(trace, ["red", "red star", " red ", ""])
    assert list(scores) == ["red", "red star"]
    assert scores["red"] != scores["red star"]


def test_without_an_option_there_is_nothing_to_score(lab: Lab) -> None:
    engine = lab("monet-sft")
    trace = saying_text(engine, "The", 8)
    with pytest.raises(InputError, match="at least one"):
        engine.score(trace, ["", "  "])
    assert len(engine.score(trace, ["red"])) == 1


def test_all_options_of_all_runs_go_through_the_model_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab("monet")
    asked = {"force_latents": True, "budget": 3, "max_new_tokens": 8}
    runs = [engine.run(tiny.picture(n), "Where?", **asked) for n in range(2)]
    options = ["left", "right side up", "down"]
    one_by_one = [engine.score(run, options) for run in runs]
    fed: list[tuple[int, int]] = []
    step = engine.passes.step
    monkeypatch.setattr(
        engine.passes,
        "step",
        lambda cache, embeds, at: (
            fed.append((embeds.shape[0], cache.prompt[0][0].shape[0])) or step(cache, embeds, at)
        ),
    )
    engine.score(runs[0], options)
    assert fed == [(3, 1)]  # a row an option, the prompt shared by all
    fed.clear()
    many = together.scores(engine, [(run, options) for run in runs])
    assert fed == [(6, 6)]
    for one, other in zip(one_by_one, many, strict=True):
        assert not isinstance(other, Exception)
        assert other == pytest.approx(one, abs=1e-4)
