"""How much one visitor may ask for, and how many may ask: every limit of the page in one place.

A page on one's own machine is generous; a hosted copy starts from smaller numbers, and
``launch.py`` has a flag for each. The page and the endpoints for programs hold to the same.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from gui.errors import GuiError

if TYPE_CHECKING:
    from core.records.archive import Limits


class OutOfBounds(GuiError):
    """More was asked for than this page gives; the message is one sentence."""


def _bound(here: int, hosted: int, flag: str, help: str) -> Any:
    return field(default=here, metadata={"hosted": hosted, "flag": flag, "help": help})


@dataclass(frozen=True)
class Bounds:
    """The most of everything; ``launch.py --help`` says what each is.

    ``idle`` counts minutes after which a visitor who did nothing is forgotten, 0 for never.
    """

    upload: int = _bound(50, 20, "--max-upload", "megabytes of one uploaded file")
    pixels: int = _bound(100, 25, "--max-pixels", "million pixels of one picture")
    question: int = _bound(4000, 2000, "--max-question", "characters of a question")
    options: int = _bound(64, 16, "--max-options", "answer options that are scored")
    latents: int = _bound(1024, 64, "--max-latents", "latents a span is given")
    tokens: int = _bound(4096, 512, "--max-tokens", "tokens said in one run")
    branches: int = _bound(256, 64, "--max-branches", "runs and branches kept for one visitor")
    edits: int = _bound(64, 16, "--max-edits", "edits made at once")
    sweep: int = _bound(4096, 256, "--max-sweep", "cells of one sweep")
    visitors: int = _bound(128, 64, "--max-visitors", "visitors kept at once")
    waiting: int = _bound(32, 16, "--max-waiting", "people in line for the model")
    together: int = _bound(
        0, 0, "--together",
        "visitors' wishes that go through the model at once; 0: eight where it computes in 32 "
        "bits, else one, since in 16 bits an answer could depend on who else asks",
    )  # fmt: skip
    idle: int = _bound(0, 30, "--idle", "minutes until a still visitor is forgotten, 0: never")

    @classmethod
    def hosted(cls) -> Bounds:
        """The numbers a hosted copy starts from."""
        return cls(**{f.name: f.metadata["hosted"] for f in fields(cls)})

    def check_upload(self, size: int) -> None:
        """Of a file's ``size`` in bytes.

        Raises:
            OutOfBounds: it is larger; so do all checks here.
        """
        if size > self.upload * 1_000_000:
            raise OutOfBounds(
                f"The file has {size / 1e6:.0f} MB; at most {self.upload} MB are taken here, so "
                "scale it down first."
            )

    def check_question(self, question: str, system: str | None = None) -> None:
        """Of what a person wrote; the family's own wording is not counted."""
        for text, what in ((question, "question"), (system or "", "system text")):
            if len(text) > self.question:
                raise OutOfBounds(
                    f"The {what} has {len(text):,} characters; at most {self.question:,} are "
                    "taken here, so shorten it."
                )
            if any("\ud800" <= letter <= "\udfff" for letter in text):
                raise OutOfBounds(f"The {what} holds half a letter; type it again.")

    def check_options(self, options: Sized) -> None:
        """Of the answers to be scored."""
        if len(options) > self.options:
            raise OutOfBounds(
                f"There are {len(options)} answer options; at most {self.options} are scored "
                "here, so leave some out."
            )

    def check_run(self, budget: Any = None, max_new_tokens: Any = None) -> None:
        """Of the latents a span is given and the tokens said; a wrong type is the engine's."""
        for asked, most, what in (
            (budget, self.latents, "latents a span"),
            (max_new_tokens, self.tokens, "tokens"),
        ):
            if isinstance(asked, (int, float)) and asked > most:
                raise OutOfBounds(
                    f"You asked for {asked:,.0f} {what}; at most {most:,} are given here, so ask "
                    "for fewer."
                )

    def check_edits(self, edits: Sized) -> None:
        """Of the edits made at once."""
        if len(edits) > self.edits:
            raise OutOfBounds(
                f"There are {len(edits)} edits at once; at most {self.edits} are made here, so "
                "leave some out."
            )

    def check_edit_counts(self, edits: Any) -> None:
        """Of an edit that makes a span longer, which costs passes like a budget."""
        for edit in edits:
            self.check_run(getattr(edit, "count", None))
            self.check_question(getattr(edit, "text", None) or "")

    def check_sweep(self, cells: int) -> None:
        """Of a sweep's cells, each of which is a branch."""
        if cells > self.sweep:
            raise OutOfBounds(
                f"This sweep has {cells:,} cells; at most {self.sweep:,} are computed here, so "
                "choose fewer steps or strengths."
            )

    def records(self) -> Limits:
        """The same for a ``.zscope`` file somebody hands in."""
        from core.records.archive import Limits

        usual = Limits()
        size = self.upload * 1_000_000
        return Limits(
            file_bytes=min(usual.file_bytes, size),
            entry_bytes=min(usual.entry_bytes, 8 * size),
            all_bytes=min(usual.all_bytes, 16 * size),
            traces=min(usual.traces, self.branches),
            image_pixels=min(usual.image_pixels, self.pixels * 1_000_000),
            all_pixels=min(usual.all_pixels, 8 * self.pixels * 1_000_000),
        )
