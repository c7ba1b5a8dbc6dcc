"""Teacher-forced logits against feeding everything again from the start."""

import pytest
import torch

from core import Edit
from core.engine import Engine
from core.engine.forced import answer_tokens, behind
from core.engine.reprompt import read_prompt
from core.errors import InputError
from core.measures.outcome import token_kl
from core.records import Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab


def run(engine: Engine, **more: object) -> Trace:
    given = {"budget": 4, "force_latents": True, "max_new_tokens": 14, **more}
    return engine.run(tiny.picture(0), "What colour is the star?", **given)


def from_scratch(engine: Engine, trace: Trace, base: Trace) -> torch.Tensor:
    """One uncached pass: prompt, the run's own slots, then the base's words."""
    held, live = engine.hold(trace), engine.live(engine.hold(trace))
    cache, _ = read_prompt(engine, held, live.standing.prompt)
    first, stop = answer_tokens(engine, base)
    tokens = [*trace.token_ids[: behind(trace)], *base.token_ids[behind(base) : stop - 1]]
    embeds = torch.stack([engine.embed(token) for token in tokens])
    for place, vector in live.vectors.items():
        if place < behind(trace):
            embeds[place] = vector
    positions = held.first_position + torch.arange(len(tokens))
    hidden = engine.passes.step(cache, embeds[None], positions[None])[0]
    # the slot before a word predicts it
    own = behind(trace) + (first - behind(base))
    return engine.passes.logits(hidden[own - 1 : own - 1 + stop - first])


@pytest.mark.parametrize(("family", "kernel"), [("monet", "sdpa"), ("mirage", "eager")])
def test_a_branch_is_read_at_its_bases_words(lab: Lab, family: str, kernel: str):
    engine = lab(family, kernel)
    base = run(engine)
    lists = [
        [Edit("gaussian", dose=2.0, seed=1)],
        [Edit("zero", mode="pinned")],
        [Edit("truncate", count=2)],
        [Edit("sham", dose=2.0)],
    ]
    children = engine.branches(base, lists, keep=True)
    tables = engine.forced_logits([base, *children], base)
    first, stop = answer_tokens(engine, base)
    assert stop > first
    assert all(t.shape[0] == stop - first for t in tables)
    for trace, table in zip([base, *children], tables, strict=True):
        torch.testing.assert_close(table, from_scratch(engine, trace, base), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(tables[0], engine.logits(base)[first:stop], atol=1e-4, rtol=1e-4)
    assert float(token_kl(tables[0], tables[0]).max()) == 0
    assert float(token_kl(tables[0], tables[1]).mean()) > 1e-4


def test_a_run_of_one_word_needs_no_pass(lab: Lab):
    engine = lab("monet")
    base = run(engine, max_new_tokens=6)
    first, stop = answer_tokens(engine, base)
    if first < stop:
        (table,) = engine.forced_logits([base], base)
        torch.testing.assert_close(table, engine.logits(base)[first:stop], atol=1e-4, rtol=1e-4)


def test_a_run_that_said_nothing_has_no_words_to_force(lab: Lab):
    engine = lab("monet")
    silent = run(engine, max_new_tokens=3)
    with pytest.raises(InputError, match="no words"):
        engine.forced_logits([silent], silent)
    spoken = run(engine)
    with pytest.raises(InputError, match="inside its span"):
        engine.forced_logits([run(engine, budget=8, max_new_tokens=5)], spoken)
