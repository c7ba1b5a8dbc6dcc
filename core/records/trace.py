"""One question answered, with everything that happened on the way, as a frozen value."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from torch import Tensor

from core.records.edit import Edit
from core.records.receipt import Receipt
from core.records.settings import Settings
from core.records.span import Span


def new_id() -> str:
    """A fresh trace id nobody can guess."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Prompt:
    """What the model was asked.

    Attributes:
        question: the person's words, without the family's additions.
        system: the system text, or None for the chat template's own.
        text: the whole prompt as it was tokenised ("" when tensors were given).
        image_hash: SHA-256 of the picture's RGB bytes and size, "" without a picture.
        image_size: width and height in pixels, (0, 0) without a picture.
        grid: (rows, columns) of merged image patches as the language model sees them.
        input_ids: the token ids fed, padding removed.
    """

    question: str = ""
    system: str | None = None
    text: str = ""
    image_hash: str = ""
    image_size: tuple[int, int] = (0, 0)
    grid: tuple[int, int] = (0, 0)
    input_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Timings:
    """Seconds spent on the prompt and on decoding, and the number of decode passes."""

    prompt: float = 0.0
    decode: float = 0.0
    passes: int = 0


@dataclass(frozen=True, eq=False)
class Trace:
    """One run: X (prompt) → Z (spans) → Y (answer).

    Attributes:
        prompt, family, model, revision, settings: what was run, and how.
        token_ids: the N recorded ids after the prompt. In a latent slot this is what the
            family records there (a pad, or whatever was sampled).
        sampled_ids: the N ids the sampler drew, before the family's rule replaced any.
        pieces: the N recorded tokens as text, for display.
        spans: the latent spans in order.
        logprobs: log-probability (nats) of each recorded token under the model's raw
            distribution at that place.
        top: for each recorded token the likeliest ids with their log-probabilities.
        text: what the model said in words: latent slots and special tokens left out.
        answer: the parsed answer, or None.
        answer_problem: why no answer could be parsed, or None.
        imagined: (start, stop) in ``token_ids`` of the text a word-imagining model imagined.
        ended_by: ``"eos"``, ``"length"`` or ``"cancelled"``.
        option_scores: (option, log-probability) of each answer option, when scored.
        timings: see :class:`Timings`.
        edits, receipts: the edits that made this trace out of ``parent``; empty for a run.
        parent: id of the trace this one branched from.
        lineage: the edit lists from the original run to this trace, this one's last.
        logits: (N, V) raw float32 logits of every pass, kept only on request, never saved.
        id: unguessable.
    """

    prompt: Prompt
    family: str
    model: str
    settings: Settings
    token_ids: tuple[int, ...]
    sampled_ids: tuple[int, ...]
    pieces: tuple[str, ...]
    spans: tuple[Span, ...]
    logprobs: tuple[float, ...]
    top: tuple[tuple[tuple[int, float], ...], ...] = ()
    text: str = ""
    answer: str | None = None
    answer_problem: str | None = None
    imagined: tuple[int, int] | None = None
    ended_by: str = "eos"
    revision: str | None = None
    option_scores: tuple[tuple[str, float], ...] = ()
    timings: Timings = field(default_factory=Timings)
    edits: tuple[Edit, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    parent: str | None = None
    lineage: tuple[tuple[Edit, ...], ...] = ()
    logits: Tensor | None = None
    id: str = field(default_factory=new_id)

    @property
    def is_latent(self) -> tuple[bool, ...]:
        """For each recorded token whether its slot was fed a latent vector."""
        flags = [False] * len(self.token_ids)
        for span in self.spans:
            flags[span.start : span.stop] = [True] * len(span)
        return tuple(flags)

    @property
    def emitted(self) -> bool:
        """Whether the model imagined at all."""
        return bool(self.spans)
