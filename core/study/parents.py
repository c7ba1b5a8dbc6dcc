"""The runs a block's branches start from, and whose latents go into them.

A block asks its base questions in one batch, every changed input it needs in another, and the
few donors from elsewhere one at a time. Runs are remembered until the block is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from core.engine import Engine
from core.errors import InputError, ZscopeError
from core.records import Trace
from core.study import donors
from core.study.alignment import agree, aligned, before, throughout
from core.study.arms import Arm, Input
from core.study.asking import Question, ask
from core.study.design import Design
from core.study.inputs import Inputs
from core.study.items import StudyItem

Made = Trace | ZscopeError
Changed = tuple[Input, bool]
"""An edit of the input, and whether a span is forced in the run on it."""


@dataclass(frozen=True, eq=False)
class Donor:
    """Where latents come from: the run, and the answer that follows it (None when open)."""

    trace: Trace
    name: str
    expected: str | None


@dataclass(eq=False)
class Parents:
    """The runs of one block.

    Attributes:
        engine, design: what is run, and how.
        items: the whole data set.
        inside: indices of the block's items.
        wanted: index → arms of it that have no row yet.
        cancel: stops within one decode step.
        base: index → the run on the item as it is, or why there is none.
        changed: (index, changed input) → the run on it.
        sources: (index, changed input) → the item the changed input was taken from.
        inputs: pictures and questions.
        made: ids of all runs, to be forgotten.
    """

    engine: Engine
    design: Design
    items: Sequence[StudyItem]
    inside: Sequence[int]
    wanted: Mapping[int, Sequence[Arm]]
    cancel: Event | None = None
    base: dict[int, Made] = field(default_factory=dict)
    changed: dict[tuple[int, Changed], Made] = field(default_factory=dict)
    sources: dict[tuple[int, Changed], StudyItem | None] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    inputs: Inputs = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = Inputs(self.items, self.inside, self.design.seed)

    def ask(self) -> None:
        """Make the base runs, and the runs on every changed input some wanted arm needs.

        Raises:
            Cancelled: it was stopped.
        """
        self._ask_bases(self.inside)
        found = {(a.x, a.force) for arms in self.wanted.values() for a in arms if a.x is not None}
        for changed in sorted(found, key=str):
            self._ask_changed(changed)

    def forget(self) -> None:
        """Let all runs and pictures go."""
        self.engine.store.forget(*self.made)
        self.inputs.forget()

    def of(self, index: int, arm: Arm) -> Trace:
        """The run an arm starts from.

        Raises:
            ZscopeError: why there is none.
        """
        wanted = arm.x is not None and (not arm.z or arm.parent == "x")
        return self.on_changed(index, arm) if wanted else trace_of(self.base[index])

    def on_changed(self, index: int, arm: Arm) -> Trace:
        """The run on an arm's changed input."""
        assert arm.x is not None
        return trace_of(self.changed[index, (arm.x, arm.force)])

    def source(self, index: int, arm: Arm) -> StudyItem | None:
        """The item an arm's changed input was taken from."""
        return None if arm.x is None else self.sources.get((index, (arm.x, arm.force)))

    def donor(self, index: int, arm: Arm, draw: int) -> Donor | None:
        """Whose latents an arm puts in; None where it needs nobody's.

        Raises:
            ZscopeError: there is none of its class that imagined.
        """
        item = self.items[index]
        if not arm.donor:
            return None
        if arm.donor == "base":
            choice = item.answer if item.answer else None
            return Donor(imagining(trace_of(self.base[index])), item.id, choice)
        if arm.donor == "x":
            trace, source = imagining(self.on_changed(index, arm)), self.source(index, arm)
            assert arm.x is not None
            minimal = arm.x.kind == "counterfactual" and source is item.counterfactual
            return Donor(
                trace,
                source.id if source else arm.x.kind,
                source.answer if source is not None and minimal else trace.answer,
            )
        found = 0
        for place in donors.order(item, arm.donor, self.inside, self.items, self.design.seed):
            if place not in self.base:
                self._ask_bases([place])
            made = self.base[place]
            if not isinstance(made, Trace) or not imagined(made):
                continue
            if found == draw:
                other = self.items[place]
                return Donor(made, other.id, donors.expected(item, other, arm.donor))
            found += 1
        raise InputError(f"no donor of class “{arm.donor}” that imagined was found")

    def _ask_bases(self, indices: Sequence[int]) -> None:
        """The base runs of items; those of a block are asked as one batch."""
        ready = []
        for index in indices:
            try:
                ready.append((index, self.inputs.own(index)))
            except ZscopeError as error:
                self.base[index] = error
        made = ask(
            self.engine, [q for _, q in ready], self.cancel, self.design.options(), self.made
        )
        self.base.update({index: one for (index, _), one in zip(ready, made, strict=True)})

    def _ask_changed(self, changed: Changed) -> None:
        ready: list[tuple[int, Question]] = []
        for index, arms in self.wanted.items():
            if not isinstance(self.base[index], Trace):
                continue
            if not any((arm.x, arm.force) == changed for arm in arms):
                continue
            try:
                question, source = self.inputs.changed(index, changed[0])
            except ZscopeError as error:
                self.changed[index, changed] = error
                continue
            ready.append((index, question))
            if source is not None:
                self.sources[index, changed] = source
        force = changed[1] and self.engine.family.latent
        options = self.design.options(force_latents=True) if force else self.design.options()
        if not aligned(self.design.alignment, changed[0]):
            for (index, _), one in zip(ready, self._ask(ready, options), strict=True):
                self.changed[index, changed] = one
            return
        begun = [before(self.engine, trace_of(self.base[index])) for index, _ in ready]
        for (index, question), one in zip(ready, self._ask(ready, options, begun), strict=True):
            base = trace_of(self.base[index])
            self.changed[index, changed] = one
            if isinstance(one, Trace) and one.spans and base.spans and not agree(base, one):
                # spans still differ: the words between them are held too
                held = [throughout(self.engine, base)]
                self.changed[index, changed] = self._ask([(index, question)], options, held)[0]

    def _ask(
        self,
        ready: Sequence[tuple[int, Question]],
        options: dict[str, Any],
        begins: Sequence[Sequence[int]] | None = None,
    ) -> list[Made]:
        if begins is not None and not any(begins):
            begins = None
        asked = [question for _, question in ready]
        return ask(self.engine, asked, self.cancel, options, self.made, begins)


def trace_of(made: Made) -> Trace:
    """The run, or its error raised."""
    if isinstance(made, Trace):
        return made
    raise made


def imagined(trace: Trace) -> bool:
    """Whether a run imagined, in latents or in words."""
    return trace.emitted or trace.imagined is not None


def imagining(trace: Trace) -> Trace:
    """The trace itself.

    Raises:
        InputError: it has neither latents nor an imagined sentence.
    """
    if not imagined(trace):
        raise InputError("one of the two runs did not imagine, so there is nothing to cross")
    return trace
