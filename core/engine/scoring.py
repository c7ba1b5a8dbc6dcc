"""Scoring answer options: how likely is each, after the same imagination and the same words?

The run's transcript is held up to where its answer begins (text-forced; a run that never
opened an answer gets the family's opening appended). Each option with the closing of the
answer is tokenised together with that text, because a tokenizer may merge across the border,
and scored over the tokens behind the prefix all options share. One pass, one row an option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from core.engine.cache import spread
from core.engine.store import Held
from core.errors import CheckpointError, InputError
from core.families.answers import opening

if TYPE_CHECKING:
    from core.engine.engine import Engine


def score_options(engine: Engine, held: Held, options: list[str]) -> dict[str, float]:
    """Log-probability (nats) of each option; see :meth:`Engine.score`."""
    options = list(dict.fromkeys(o.strip() for o in options if o.strip()))
    if not options:
        raise InputError("Give at least one answer option.")
    if engine.reader.tokenizer is None:
        raise CheckpointError("Options are words; this checkpoint came without a tokenizer.")
    start, written = _tail(engine, held)
    family, reader, lead = engine.family, engine.reader, spoken(engine, held)
    encoded = [reader.encode(lead + option + family.answer_closing) for option in options]
    shared = _common([written, *encoded])
    if shared == min(len(e) for e in encoded):
        raise InputError("The options cannot be told apart by this tokenizer.")
    # pass `place` predicts the first scored token, so it must have been run
    place = min(start + shared, len(engine.live(held).hidden) - 1)
    if place < start:
        raise InputError("This run was stopped before an answer could be scored.")
    return _score(engine, held, encoded, options, place - start, start)


def spoken(engine: Engine, held: Held) -> str:
    """A run's words behind its imagination, up to where its answer begins."""
    _, written = _tail(engine, held)
    text = engine.reader.decode(written)
    cut = opening(text, "boxed" if engine.family.answer_format == "boxed" else "tag")
    return text[:cut] if cut is not None else text + engine.family.answer_opening


def _tail(engine: Engine, held: Held) -> tuple[int, list[int]]:
    """Place and ids of the words behind the last latent span and special token."""
    trace = held.trace
    tokens = list(trace.token_ids)
    while tokens and tokens[-1] in engine.ids.eos:
        tokens.pop()
    start = max((s.stop for s in trace.spans), default=0)
    for place in range(start, len(tokens)):
        if tokens[place] in engine.reader.silent:
            start = place + 1
    return start, tokens[start:]


def _common(sequences: list[list[int]]) -> int:
    """Length of the longest common prefix."""
    count = 0
    for column in zip(*sequences, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def _score(
    engine: Engine,
    held: Held,
    encoded: list[list[int]],
    options: list[str],
    shared: int,
    start: int,
) -> dict[str, float]:
    """Sum of log-probabilities of ``encoded[i][shared:]`` behind ``start + shared`` places."""
    live = engine.live(held)
    passes = engine.passes
    place = start + shared
    first = passes.logits(live.hidden[place][None]).log_softmax(-1)[0]  # predicts place
    rests = [ids[shared:] for ids in encoded]
    totals = [float(first[rest[0]]) for rest in rests]
    longest = max(len(rest) for rest in rests)
    if longest > 1:
        device = passes.device
        fed = torch.zeros(len(rests), longest - 1, dtype=torch.long, device=device)
        for row, rest in enumerate(rests):
            fed[row, : len(rest) - 1] = torch.tensor(rest[:-1], device=device)
        cache = spread(live.cache, [place] * len(rests))
        positions = held.first_position + place + torch.arange(longest - 1, device=device)
        hidden = passes.step(cache, passes.embedding(fed), positions[None].expand(len(rests), -1))
        logprobs = passes.logits(hidden).log_softmax(-1)  # (options, longest − 1, V)
        for row, rest in enumerate(rests):
            for at, token in enumerate(rest[1:]):
                totals[row] += float(logprobs[row, at, token])
    return dict(zip(options, totals, strict=True))
