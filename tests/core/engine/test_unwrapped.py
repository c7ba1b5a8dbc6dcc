"""A pass without the decoder's modules: theirs to the last bit, or theirs."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.engine.cache import BranchCache, RowCache, spread
from core.engine.gathering import gathered
from core.engine.passes import Passes
from tests.core.engine.conftest import Lab

KINDS = {
    "one row": ([4], False),
    "rows of one length": ([3, 3, 3], False),
    "rows of several lengths": ([0, 4, 2], False),
    "rows with prompts of their own": ([4, 1, 2], True),
}


def own_passes(lab: Lab, dtype: torch.dtype = torch.float32) -> Passes:
    """Passes of a model of one's own that attends in the usual way, nothing tried yet."""
    loaded = lab("monet", "sdpa").loaded
    model = deepcopy(loaded.model)
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    return Passes(replace(loaded, model=model))


@pytest.fixture
def passes(lab: Lab) -> Passes:
    return own_passes(lab)


def through_modules(passes: Passes, cache: BranchCache, fed: Tensor, at: Tensor) -> Tensor:
    with torch.no_grad():
        hidden = passes._through_modules(cache, fed, at)
    cache.advance(fed.shape[1])
    return hidden


def run(passes: Passes, slots: int = 11, seed: int = 0) -> RowCache:
    """A run of random vectors with four own slots."""
    draw, dtype = torch.Generator().manual_seed(seed), passes.embedding.weight.dtype
    prompt = torch.randn(1, slots, passes.width, generator=draw).to(dtype)
    cache, _ = passes.read(prompt, torch.arange(slots).expand(3, 1, -1))
    for place in range(4):
        fed = torch.randn(1, 1, passes.width, generator=draw).to(dtype)
        through_modules(passes, cache, fed, torch.tensor([[slots + place]]))
    return cache.row(0)


def batch(passes: Passes, lengths: list[int], apart: bool) -> BranchCache:
    if apart:
        return gathered([run(passes, 9 + 3 * b, b) for b in range(len(lengths))], lengths)
    return spread(run(passes), lengths)


def one_slot(passes: Passes, base: RowCache) -> Tensor:
    """One slot behind the first two of a run."""
    fed = torch.ones(1, 1, passes.width)
    return passes.step(spread(base, [2]), fed, torch.tensor([[20]]))


@pytest.mark.parametrize("fresh", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_bit_is_the_modules(lab: Lab, kind: str, fresh: int, dtype: torch.dtype) -> None:
    passes = own_passes(lab, dtype)
    passes.unwrapped.trusted = True  # not compared first: what it gives by itself is looked at
    mine, theirs = (batch(passes, *KINDS[kind]) for _ in range(2))
    draw = torch.Generator().manual_seed(5)
    for step in range(3):
        fed = torch.randn(mine.rows, fresh, passes.width, generator=draw).to(dtype)
        at = (40 + fresh * step + torch.arange(fresh)).expand(mine.rows, -1)
        assert passes.unwrapped.can(at), passes.unwrapped.refused
        expected = through_modules(passes, theirs, fed, at)
        assert torch.equal(passes.step(mine, fed, at), expected)
        for made, wanted in zip(mine.own, theirs.own, strict=True):
            assert torch.equal(made[0], wanted[0])
            assert torch.equal(made[1], wanted[1])


def test_the_first_pass_is_compared_and_then_the_modules_are_left_out(
    passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, usual, calls = run(passes), passes._through_modules, list[int]()

    def counted(*given: Any) -> Tensor:
        calls.append(1)
        return usual(*given)

    monkeypatch.setattr(passes, "_through_modules", counted)
    first = one_slot(passes, base)
    assert passes.unwrapped.trusted
    assert len(calls) == 1
    assert torch.equal(one_slot(passes, base), first)
    assert len(calls) == 1


def test_a_pass_that_comes_out_otherwise_is_never_made_again(passes: Passes) -> None:
    base = run(passes)
    expected = one_slot(passes, base)
    passes.unwrapped.trusted = False
    passes.unwrapped._epsilon *= 1000
    assert torch.equal(one_slot(passes, base), expected)
    assert "differs" in passes.unwrapped.refused
    assert not passes.unwrapped.can(torch.tensor([[20]]))
    assert torch.equal(one_slot(passes, base), expected)


def test_who_looks_inside_sees_the_modules(passes: Passes) -> None:
    base, seen = run(passes), list[Tensor]()
    unseen = one_slot(passes, base)
    layer = passes.language.layers[0]
    hook = layer.register_forward_hook(lambda module, given, out: seen.append(out))
    assert torch.equal(one_slot(passes, base), unseen)
    assert len(seen) == 1
    hook.remove()
    one_slot(passes, base)
    assert len(seen) == 1


def test_a_forward_that_was_replaced_is_called(
    passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = run(passes)
    usual = one_slot(passes, base)
    mlp = passes.language.layers[1].mlp
    with monkeypatch.context() as patched:
        patched.setattr(mlp, "forward", torch.zeros_like)
        assert not torch.equal(one_slot(passes, base), usual)
    assert torch.equal(one_slot(passes, base), usual)


class Adapted(nn.Linear):
    """Stands for quantised weights and adapters: a linear layer that computes otherwise."""


def adapt(language: Any) -> None:
    language.layers[1].mlp.up_proj.__class__ = Adapted


def scheme(language: Any) -> None:
    language.rotary_emb.rope_type = "yarn"


def mixed(language: Any) -> None:
    language.norm.weight.data = language.norm.weight.data.double()


@pytest.mark.parametrize(
    ("change", "word"),
    [(adapt, "Adapted"), (scheme, "yarn"), (mixed, "kind"),
     (lambda language: language.train(), "trained")],
)  # fmt: skip
def test_another_decoder_keeps_its_modules(
    lab: Lab, change: Callable[[Any], None], word: str
) -> None:
    loaded = lab("monet", "sdpa").loaded
    model = deepcopy(loaded.model)
    change(model.model.language_model)
    passes = Passes(replace(loaded, model=model))
    assert word in passes.unwrapped.refused
    assert not passes.unwrapped.can(torch.tensor([[20]]))


def test_the_reference_kernel_keeps_its_order(lab: Lab) -> None:
    passes = Passes(lab("monet", "eager").loaded)
    assert not passes.unwrapped.can(torch.tensor([[20]]))
