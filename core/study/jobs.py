"""One branch of a study: of whose run, for which arm and draw, with what edits.

A run may open several latent spans, and an arm changes them all. Span for span the item meets
the donor's span of the same number; where the donor opened fewer, the bank's step means stand
in, so that nothing of the item's own imagination is left. What the engine can change at once
(content that propagates) is changed at once; what it changes a span at a time (slots, edges,
presence, held modes) is a chain of branches, each of the one before: see
:mod:`core.study.spans`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.edits import get as kind_of
from core.engine import Engine
from core.errors import InputError
from core.records import Edit, Trace
from core.study import donors
from core.study.arms import TRANSPLANT, Arm, Latent
from core.study.items import StudyItem
from core.study.parents import Donor, imagining

WHOLE = ("gate", "text")
"""Loci of edits that are made once a run, however many spans it has."""


@dataclass(frozen=True, eq=False)
class Job:
    """One branch to be made.

    Attributes:
        index: of the item.
        arm, draw: what is done, and which draw of it.
        parent: the run that is branched.
        donor: whose latents go in, or None.
        seed: of the edit's own noise; it follows from the study's, the item, kind and draw.
        kind: of the edit, a transplant resolved; ``text``: the sentence that is written.
    """

    index: int
    arm: Arm
    draw: int
    parent: Trace
    donor: Donor | None
    seed: int
    kind: str
    text: str | None = None

    @property
    def edit(self) -> Latent:
        """What the arm says is done."""
        return self.arm.z[0]

    @property
    def aligned(self) -> bool | None:
        """Whether donor and item have as many spans and latents; None without a donor."""
        if self.donor is None or not self.donor.trace.spans or not self.parent.spans:
            return None
        ours, theirs = ([len(s) for s in t.spans] for t in (self.parent, self.donor.trace))
        return ours == theirs

    @property
    def once(self) -> bool:
        """Whether one branch does all there is to do."""
        # from the answer to picture or question: "the answer" begins behind the last span
        behind = self.kind == "knockout" and self.edit.source == "answer"
        return kind_of(self.kind).locus in WHOLE or (behind and self.edit.target != "latents")

    @property
    def removes(self) -> bool:
        """Whether an edited span is no span any more."""
        return self.kind in ("delete", "markers")

    def edits(self, engine: Engine, trace: Trace, first: int) -> list[Edit]:
        """The edits of the next branch.

        Args:
            trace: the run so far, the parent or a branch of it.
            first: index of its first span that is not changed yet.

        Raises:
            InputError: the donor has no slots to give.
            EditError: an edit does not fit the donor.
        """
        locus = kind_of(self.kind).locus
        if self.once:
            last = 0 if locus in WHOLE else max(0, len(trace.spans) - 1)
            return [self._one(last)]
        if locus != "content" or self.edit.mode != "propagate" or self.edit.steps is not None:
            return [self._filled(engine, first)]
        return [
            self._filled(engine, span) for span in range(first, max(first + 1, len(trace.spans)))
        ]

    def _filled(self, engine: Engine, span: int) -> Edit:
        """The edit of one span; the bank's step means where the donor opened fewer."""
        if self.donor is None or span < max(1, len(self.donor.trace.spans)):
            return self._one(span)
        if kind_of(self.kind).locus != "content" or engine.bank is None:
            raise InputError(
                f"the donor opened {len(self.donor.trace.spans)} span(s), so it has nothing for "
                f"span {span + 1}"
            )
        return Edit("step_mean", span=span, mode=self.edit.mode)

    def _one(self, span: int) -> Edit:
        values: dict[str, Any] = {
            name: getattr(self.edit, name)
            for name in Latent.__dataclass_fields__
            if name != "kind" and getattr(self.edit, name) is not None
        }
        if self.text is not None:
            return Edit(self.kind, text=self.text)
        donor = self.donor.trace if self.donor else None
        return Edit(self.kind, seed=self.seed, span=span, donor=donor, **values)


def job_of(
    engine: Engine,
    item: StudyItem,
    index: int,
    arm: Arm,
    draw: int,
    parent: Trace,
    donor: Donor | None,
    seed: int,
) -> Job:
    """The job of one arm, draw and item.

    Args:
        seed: the study's.

    Raises:
        InputError: a transplant without a donor, or of a run that did not imagine.
    """
    edit = arm.z[0]
    drawn = donors.seed_of(seed, item.id, edit.kind, draw) % (1 << 31)
    kind, text = edit.kind, None
    if kind == TRANSPLANT:
        if donor is None:
            raise InputError("a transplant needs a donor")
        if engine.family.imagines_in_words:
            kind, text = "text", sentence(engine, donor.trace)
        else:
            imagining(parent)
            kind = "swap"
    return Job(index, arm, draw, parent, donor, drawn, kind, text)


def sentence(engine: Engine, trace: Trace) -> str:
    """The words a model imagined, without special tokens.

    Raises:
        InputError: it imagined none.
    """
    if trace.imagined is None:
        raise InputError("the donor imagined no sentence")
    first, last = trace.imagined
    silent = engine.reader.silent
    words = engine.reader.decode([t for t in trace.token_ids[first:last] if t not in silent])
    if not words.strip():
        raise InputError("the donor imagined no sentence")
    return words.strip()
