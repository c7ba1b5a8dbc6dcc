"""Answer options as tokens and a place: what is scored, and behind which words.

The run's transcript is held up to where its answer begins (text-forced; a run that never
opened an answer gets the family's opening appended). Each option with the closing of the
answer is tokenised together with that text, because a tokenizer may merge across the border,
and scored over the tokens behind the prefix all options share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.engine.store import Held
from core.errors import CheckpointError, InputError
from core.families.answers import opening

if TYPE_CHECKING:
    from core.engine.engine import Engine


@dataclass(frozen=True, eq=False)
class Asked:
    """One run's options, ready to be scored behind its first ``place`` own slots.

    Attributes:
        options: as they are named in the result.
        rests: token ids of each behind what all share.
        lead: how many of those belong to the words before the option and do not count.
    """

    held: Held
    options: list[str]
    rests: list[list[int]]
    place: int
    lead: int = 0


def prepare_scores(
    engine: Engine, held: Held, options: Sequence[str], lead: str | None = None
) -> Asked:
    """What is to be scored, as tokens and a place.

    Args:
        lead: words between the imagination and each option in place of the run's own; their
            own probability does not count.

    Raises:
        InputError: nothing to tell apart, or the run was stopped too early.
        CheckpointError: there is no tokenizer to read the options with.
    """
    names = list(dict.fromkeys(o.strip() for o in options if o.strip()))
    if not names:
        raise InputError("Give at least one answer option.")
    family, reader = engine.family, engine.reader
    if reader.tokenizer is None:
        raise CheckpointError("Options are words; this checkpoint came without a tokenizer.")
    start, written = _tail(engine, held)
    words = spoken(engine, held) if lead is None else lead
    encoded = [reader.encode(words + name + family.answer_closing) for name in names]
    shared = _common([written, *encoded])
    if shared == min(len(e) for e in encoded):
        raise InputError("The options cannot be told apart by this tokenizer.")
    # pass `place` predicts the first scored token, so it must have been run
    place = min(start + shared, len(engine.live(held).hidden) - 1)
    if place < start:
        raise InputError("This run was stopped before an answer could be scored.")
    silent = 0
    if lead is not None:
        silent = max(0, _common([reader.encode(lead), *encoded]) - (place - start))
    return Asked(held, names, [ids[place - start :] for ids in encoded], place, silent)


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
