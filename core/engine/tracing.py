"""From a decoded row to the frozen record of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.engine.row import Row
from core.families import Answer, Family
from core.families.answers import opening
from core.records import Edit, Prompt, Receipt, Timings, Trace

UNREADABLE = "\ufffd"
# A byte-level vocabulary names its tokens by one printable letter a byte (GPT-2's table): bytes
# that print stand for themselves, the others are counted on from U+0100.
_PRINT = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHER = [b for b in range(256) if b not in _PRINT]
BYTES = {chr(b): b for b in _PRINT} | {chr(256 + n): b for n, b in enumerate(_OTHER)}


@dataclass(frozen=True, eq=False)
class Reader:
    """Turns ids into text. ``tokenizer`` is None for a checkpoint without one."""

    tokenizer: Any
    family: Family
    silent: frozenset[int]
    """Ids that say nothing: special tokens and the family's own."""
    _pieces: dict[int, str] = field(default_factory=dict, repr=False)
    """Tokens read so far; a batch of branches says the same few again and again."""

    def piece(self, token: int) -> str:
        """One token as text."""
        if self.tokenizer is None:
            return f"<{token}>"
        if token not in self._pieces:
            text: str = self.tokenizer.decode([token], clean_up_tokenization_spaces=False)
            self._pieces[token] = text
        return self._pieces[token]

    def label(self, token: int) -> str:
        """One token as a person can read it: “⟨E2 80⟩” where its bytes are no whole letter."""
        text = self.piece(token)
        if UNREADABLE not in text:
            return text
        name = str(self.tokenizer.convert_ids_to_tokens(token))
        found = [BYTES.get(letter) for letter in name]
        if name.startswith("<0x"):  # SentencePiece writes a byte out
            return f"⟨{name[3:-1]}⟩"
        return "⟨" + " ".join(f"{b:02X}" for b in found) + "⟩" if None not in found else text

    def decode(self, tokens: Sequence[int]) -> str:
        """Several tokens as text."""
        if self.tokenizer is None:
            return ""
        text: str = self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False)
        return text

    def encode(self, text: str) -> list[int]:
        """Text as tokens, nothing added."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def spoken(self, tokens: Sequence[int], latent: Sequence[bool]) -> list[int]:
        """Places of tokens that are words: not latent slots, not special tokens."""
        return [
            place
            for place, (token, is_latent) in enumerate(zip(tokens, latent, strict=True))
            if not is_latent and token not in self.silent
        ]


def make_trace(
    row: Row,
    reader: Reader,
    prompt: Prompt,
    model: str,
    revision: str | None,
    timings: Timings,
    parent: Trace | None = None,
    edits: tuple[Edit, ...] = (),
    receipts: tuple[Receipt, ...] = (),
) -> Trace:
    """The record of a finished row."""
    spans = row.spans()
    latent = [False] * len(row.tokens)
    for span in spans:
        latent[span.start : span.stop] = [True] * len(span)
    places = reader.spoken(row.tokens, latent)
    text = reader.decode([row.tokens[p] for p in places])
    if reader.tokenizer is None:
        parsed = Answer(None, "The checkpoint came without a tokenizer, so nothing can be read.")
    else:
        parsed = row.family.parse(text)
    return Trace(
        prompt=prompt,
        family=row.family.name,
        model=model,
        revision=revision,
        settings=row.settings,
        token_ids=tuple(row.tokens),
        sampled_ids=tuple(row.sampled),
        pieces=tuple(reader.piece(t) for t in row.tokens),
        spans=spans,
        logprobs=tuple(row.logprobs),
        top=tuple(row.top),
        text=text,
        answer=parsed.text,
        answer_problem=parsed.problem,
        imagined=_imagined(row, reader, places) if row.family.imagines_in_words else None,
        ended_by=row.ended,
        timings=timings,
        edits=edits,
        receipts=receipts,
        parent=parent.id if parent else None,
        lineage=(*parent.lineage, edits) if parent else (),
    )


def _imagined(row: Row, reader: Reader, places: list[int]) -> tuple[int, int] | None:
    """Tokens from the first word to the opening of the answer, white space at its end left out."""
    text, stops = "", []
    for place in places:
        text += reader.piece(row.tokens[place])
        stops.append(len(text))
    cut = opening(text, "boxed" if row.family.answer_format == "boxed" else "tag")
    if cut is None:
        return None
    cut -= len(row.family.answer_opening)
    end = len(text[:cut].rstrip())
    inside = [p for p, stop in zip(places, stops, strict=True) if stop <= end]
    return (inside[0], inside[-1] + 1) if inside else None
