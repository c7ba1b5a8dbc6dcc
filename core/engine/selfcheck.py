"""Is the instrument sound on this model? Checks that need no truth about the model.

An edit that changes nothing must change nothing, to the bit; the prefix a branch shares must
stay as it was; an edit with a dose must be seen at the place it was put. Run at every start
of the doctor and before every study.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from core.engine.reprompt import read_prompt
from core.errors import ZscopeError
from core.records import Edit, Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine

Outcome = tuple[str, bool, str]
"""Name of a check, whether it passed, and what was seen."""


def selfcheck(engine: Engine, trace: Trace | None = None) -> list[Outcome]:
    """Run the checks on ``trace``, or on a run of a generated picture.

    Returns:
        One outcome a check, in the order they were run.
    """
    try:
        trace = trace or _any_run(engine)
    except ZscopeError as error:
        return [("a run", False, str(error))]
    out: list[Outcome] = [_guard("cached decode equals full recompute", engine, trace, _recompute)]
    if not engine.family.latent:
        return out
    if not trace.spans:
        return [*out, ("a latent span", False, "the model opened none, even when forced")]
    out.append(_guard("identity edit is bit-exact", engine, trace, _identity))
    out.append(_guard("shared prefix stays as it was", engine, trace, _prefix))
    out.append(_guard("an edit is seen where it was put", engine, trace, _arrives))
    out.append(_guard("batched branches equal single ones", engine, trace, _batched))
    return out


def _any_run(engine: Engine) -> Trace:
    shades = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    return engine.run(
        Image.fromarray(shades).resize((224, 224)),
        "What is in the picture?",
        force_latents=engine.family.latent,
        max_new_tokens=24 + engine.budget,
    )


def _guard(
    name: str, engine: Engine, trace: Trace, check: Callable[[Engine, Trace], tuple[bool, str]]
) -> Outcome:
    try:
        passed, seen = check(engine, trace)
    except ZscopeError as error:
        return name, False, str(error)
    return name, passed, seen


def _recompute(engine: Engine, trace: Trace) -> tuple[bool, str]:
    """Everything in one uncached pass against the step-by-step decode."""
    difference = recompute_difference(engine, trace)
    limit = 1e-3 if trace.settings.dtype == "float32" else 0.5
    return difference <= limit, f"max |Δlogit| = {difference:.1e}"


def recompute_difference(engine: Engine, trace: Trace) -> float:
    """max |Δlogit| between the cached decode and one uncached pass over everything fed."""
    live = engine.live(engine.hold(trace))
    held = engine.store.get(trace)
    cache, read = read_prompt(engine, held, live.standing.prompt)
    cache.cuts = [live.cache.cuts]
    fed = len(trace.token_ids) - 1
    if fed < 1:
        return 0.0
    table = engine.passes.embedding.weight
    embeds = engine.passes.embedding(torch.tensor(trace.token_ids[:fed], device=table.device))
    for place, vector in live.vectors.items():
        if place < fed:
            embeds[place] = vector
    positions = held.first_position + torch.arange(fed, device=table.device)
    hidden = engine.passes.step(cache, embeds[None], positions[None])[0]
    if engine.loaded.head is not None:
        places = [p for p in live.vectors if p < fed]
        if places:
            hidden[places] = engine.loaded.head(hidden[places]).to(hidden.dtype)
    whole = engine.passes.logits(torch.cat([read[-1:], hidden]))
    stepwise = engine.passes.logits(torch.stack(live.hidden[: fed + 1]))
    return float((whole - stepwise).abs().max())


def _identity(engine: Engine, trace: Trace) -> tuple[bool, str]:
    child = engine.branch(trace, [Edit("identity")])
    same_tokens = child.token_ids == trace.token_ids
    delta = float((engine.logits(child) - engine.logits(trace)).abs().max()) if same_tokens else 1.0
    return same_tokens and delta == 0.0, f"max |Δlogit| = {delta:g}"


def _prefix(engine: Engine, trace: Trace) -> tuple[bool, str]:
    live = engine.live(engine.hold(trace))
    before = [(k.clone(), v.clone()) for k, v in (*live.cache.prompt, *live.cache.own)]
    engine.branch(trace, [Edit("zero")])
    after = [*live.cache.prompt, *live.cache.own]
    equal = all(
        torch.equal(a, c) and torch.equal(b, d)
        for (a, b), (c, d) in zip(before, after, strict=True)
    )
    return equal, "bit-equal before and after a branch" if equal else "the cache has changed"


def _arrives(engine: Engine, trace: Trace) -> tuple[bool, str]:
    child = engine.branch(trace, [Edit("gaussian", dose=1.0, mode="pinned")])
    receipt = child.receipts[0]
    moved = [d.hidden_change or 0.0 for d in receipt.doses]
    return min(moved) > 0, f"ε = {receipt.epsilon:.2f}, hidden state moved by ≥ {min(moved):.1e}"


def _batched(engine: Engine, trace: Trace) -> tuple[bool, str]:
    lists = [[Edit("gaussian", seed=s, dose=0.5)] for s in range(4)]
    many = engine.branches(trace, lists)
    single = [engine.branch(trace, edits) for edits in lists]
    same = all(a.token_ids == b.token_ids for a, b in zip(many, single, strict=True))
    if not same:
        return trace.settings.dtype != "float32", "tokens differ between batch and single"
    worst = max(
        float((engine.logits(a) - engine.logits(b)).abs().max())
        for a, b in zip(many, single, strict=True)
    )
    return worst <= 1e-3 or trace.settings.dtype != "float32", f"max |Δlogit| = {worst:.1e}"
