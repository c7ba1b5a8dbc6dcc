"""One branch of a study: of whose run, for which arm and draw, with what edits.

A run may open several latent spans. A content edit that propagates is made in every one of
them, each span with the donor's span of the same number; where the donor opened fewer, the
bank's step means stand in, so that nothing of the item's own imagination is left. Edits that
stand alone (slots, edges, presence) and held modes address the first span, which the engine
says of them too.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.edits import get as kind_of
from core.engine import Engine
from core.errors import InputError
from core.records import Edit, Trace
from core.study import donors
from core.study.arms import TRANSPLANT, Arm, Latent
from core.study.items import StudyItem
from core.study.parents import Donor, imagining


@dataclass(frozen=True, eq=False)
class Job:
    """One branch to be made."""

    index: int
    arm: Arm
    draw: int
    parent: Trace
    edits: list[Edit]
    donor: Donor | None

    @property
    def aligned(self) -> bool | None:
        """Whether donor and item have as many spans and latents; None without a donor."""
        if self.donor is None or not self.donor.trace.spans or not self.parent.spans:
            return None
        ours, theirs = ([len(s) for s in t.spans] for t in (self.parent, self.donor.trace))
        return ours == theirs


def edits_of(
    engine: Engine,
    item: StudyItem,
    parent: Trace,
    edit: Latent,
    donor: Donor | None,
    draw: int,
    seed: int,
) -> list[Edit]:
    """The edits of one branch.

    Args:
        seed: the study's; the edit's own follows from it, the item, the kind and the draw.

    Raises:
        InputError: a transplant without a donor, or of a run that did not imagine.
        EditError: the edit does not fit the donor.
    """
    values = {
        name: getattr(edit, name)
        for name in Latent.__dataclass_fields__
        if name != "kind" and getattr(edit, name) is not None
    }
    drawn = donors.seed_of(seed, item.id, edit.kind, draw) % (1 << 31)
    given = donor.trace if donor else None
    kind = edit.kind
    if kind == TRANSPLANT:
        if given is None:
            raise InputError("a transplant needs a donor")
        if engine.family.imagines_in_words:
            return [Edit("text", text=sentence(engine, given))]
        imagining(parent)
        kind = "swap"
    everywhere = kind_of(kind).locus == "content" and edit.mode == "propagate"
    spans = len(parent.spans) if everywhere and edit.steps is None else 1
    out = []
    for span in range(max(1, spans)):
        if given is not None and span and span >= len(given.spans):
            if engine.bank is not None:
                out.append(Edit("step_mean", span=span))
            continue
        out.append(Edit(kind, seed=drawn, span=span, donor=given, **values))
    return out


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
