"""One block of items through all arms: the parents in batches, the branches an item at a time.

Everything a row is needs only the design and the block's own items (and the few donors from
elsewhere), so blocks can be done in any order, by any process, again or not. When a block is
done the engine forgets its runs: memory depends on the size of a block, not of the data set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from PIL import Image
from torch import Tensor

from core.engine import Engine
from core.errors import InputError, ZscopeError
from core.records import Edit, Trace
from core.study import donors
from core.study.arms import TRANSPLANT, Arm, Input, Latent
from core.study.asking import ask, branch, score
from core.study.design import Design
from core.study.items import StudyItem
from core.study.outcomes import outcome
from core.study.pictures import CHANGES, change
from core.study.rows import Row

Made = Trace | ZscopeError
Changed = tuple[Input, bool]
"""An edit of the input, and whether a span is forced in the run on it."""


@dataclass(frozen=True, eq=False)
class Donor:
    """Where latents come from: the run, and the answer that follows it (None when open)."""

    trace: Trace
    name: str
    expected: str | None


@dataclass(frozen=True, eq=False)
class Job:
    """One branch to be made: of whose run, for which arm and draw, with what edits."""

    index: int
    arm: Arm
    draw: int
    parent: Trace
    edits: list[Edit]
    donor: Donor | None


TOGETHER = 256
"""Branches made and scored at a time."""


@dataclass(eq=False)
class Block:
    """One block at work.

    Attributes:
        engine, design: what is run, and how.
        items: the whole data set.
        inside: indices of this block's items.
        wanted: index → arms of it that have no row yet.
        key: the key of an item's row in an arm.
        cancel: stops within one decode step.
        step: called with the number of rows made whenever a batch is through.
    """

    engine: Engine
    design: Design
    items: Sequence[StudyItem]
    inside: Sequence[int]
    wanted: Mapping[int, Sequence[Arm]]
    key: Callable[[StudyItem, Arm], str]
    cancel: Event | None = None
    step: Callable[[int], None] = lambda rows: None
    base: dict[int, Made] = field(default_factory=dict)
    changed: dict[tuple[int, Changed], Made] = field(default_factory=dict)
    sources: dict[tuple[int, Changed], StudyItem | None] = field(default_factory=dict)
    pictures: dict[int, Image.Image | None] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def run(self) -> list[Row]:
        """The rows of every wanted arm of every item.

        Raises:
            Cancelled: it was stopped; the block counts as not begun.
        """
        try:
            self._ask_bases(self.inside)
            for changed in self._changes():
                self._ask_changed(changed)
            rows = self._rows()
        finally:
            self._forget()
        return rows

    def latents(self) -> dict[str, Tensor]:
        """Item id → the first span's latents (K, D) of the base runs that imagined."""
        return {
            self.items[index].id: made.spans[0].latents
            for index, made in self.base.items()
            if isinstance(made, Trace) and made.spans and index in self.wanted
        }

    # -- parents --------------------------------------------------------------------------

    def _ask_bases(self, indices: Sequence[int]) -> None:
        """The base runs of items; those of a block are asked as one batch."""
        ready = []
        for index in indices:
            try:
                picture = self._picture(index)
            except ZscopeError as error:
                self.base[index] = error
                continue
            ready.append((index, (picture, self.items[index].question)))
        made = ask(
            self.engine, [q for _, q in ready], self.cancel, self.design.options(), self.made
        )
        self.base.update({index: one for (index, _), one in zip(ready, made, strict=True)})

    def _changes(self) -> list[Changed]:
        """Every changed input some wanted arm needs, once."""
        found = {(a.x, a.force) for arms in self.wanted.values() for a in arms if a.x is not None}
        return sorted(found, key=str)

    def _ask_changed(self, changed: Changed) -> None:
        ready = []
        for index, arms in self.wanted.items():
            if not isinstance(self.base[index], Trace):
                continue
            if not any((arm.x, arm.force) == changed for arm in arms):
                continue
            try:
                ready.append((index, self._changed_question(index, changed)))
            except ZscopeError as error:
                self.changed[index, changed] = error
        force = changed[1] and self.engine.family.latent
        options = self.design.options(force_latents=True) if force else self.design.options()
        made = ask(self.engine, [q for _, q in ready], self.cancel, options, self.made)
        for (index, _), one in zip(ready, made, strict=True):
            self.changed[index, changed] = one

    def _changed_question(self, index: int, changed: Changed) -> tuple[Image.Image | None, str]:
        edit, item = changed[0], self.items[index]
        seed = donors.seed_of(self.design.seed, item.id, edit)
        if edit.kind in CHANGES:
            picture = self._picture(index)
            if picture is None:
                raise InputError("the item has no picture")
            return change(edit.kind, picture, edit.strength, item.box, seed), item.question
        if edit.kind == "no image":
            return None, item.question
        if edit.kind == "counterfactual" and item.counterfactual is not None:
            other = item.counterfactual
            self.sources[index, changed] = other
            return (other.picture() if other.picture else None), item.question
        kind = "any" if edit.kind in ("swap question", "swap both") else "other answer"
        place = self._lender(item, kind)
        if place is None and kind == "other answer":  # another picture is better than none
            place = self._lender(item, "any")
        if place is None:
            raise InputError("no other item is there to take an input from")
        other = self.items[place]
        self.sources[index, changed] = other
        if edit.kind == "swap question":
            return self._picture(index), other.question
        question = other.question if edit.kind == "swap both" else item.question
        return self._picture(place), question

    def _lender(self, item: StudyItem, kind: str) -> int | None:
        """An item of a donor class whose picture can be opened."""
        for place in donors.order(item, kind, self.inside, self.items, self.design.seed):
            try:
                self._picture(place)
            except ZscopeError:
                continue
            return place
        return None

    def _picture(self, index: int) -> Image.Image | None:
        """An item's picture, kept while the block is at work."""
        if index not in self.pictures:
            draw = self.items[index].picture
            try:
                self.pictures[index] = None if draw is None else draw()
            except ZscopeError:
                raise
            except Exception as error:  # a decoder or a drawing of somebody else's
                raise InputError(f"The picture cannot be opened ({error}).") from error
        return self.pictures[index]

    # -- one item -------------------------------------------------------------------------

    def _rows(self) -> list[Row]:
        """The rows of all items: first what is a run already, then the branches together."""
        rows: list[Row] = []
        whole: list[tuple[int, Arm, Trace]] = []
        jobs: list[Job] = []
        for index, arms in self.wanted.items():
            base = self.base[index]
            if not isinstance(base, Trace):
                rows += [self._row(index, arm, 0, {"error": str(base)}) for arm in arms]
                continue
            for arm in arms:
                try:
                    parent = self._parent(index, arm)
                    if not arm.z:
                        whole.append((index, arm, parent))
                        continue
                    made = [self._job(index, arm, parent, draw) for draw in range(arm.draws)]
                except ZscopeError as error:
                    rows.append(self._row(index, arm, 0, {"skipped": str(error)}))
                    continue
                jobs += made
        scored = self._scores([(index, trace) for index, _, trace in whole])
        rows += [
            self._whole(index, arm, trace, scores)
            for (index, arm, trace), scores in zip(whole, scored, strict=True)
        ]
        self.step(len(rows))
        for start in range(0, len(jobs), TOGETHER):
            made_rows = self._branches(jobs[start : start + TOGETHER])
            rows += made_rows
            self.step(len(made_rows))
        return rows

    def _scores(
        self, runs: Sequence[tuple[int, Trace]]
    ) -> list[Mapping[str, float] | ZscopeError | None]:
        """The options of each run's item scored after it; None where it has none."""
        asked = [place for place, (index, _) in enumerate(runs) if self.items[index].options]
        found = score(self.engine, [(runs[p][1], self.items[runs[p][0]].options) for p in asked])
        out: list[Mapping[str, float] | ZscopeError | None] = [None] * len(runs)
        for place, one in zip(asked, found, strict=True):
            out[place] = one
        return out

    def _parent(self, index: int, arm: Arm) -> Trace:
        wanted = arm.x is not None and (not arm.z or arm.parent == "x")
        return self._run_on_x(index, arm) if wanted else _trace(self.base[index])

    def _run_on_x(self, index: int, arm: Arm) -> Trace:
        assert arm.x is not None
        return _trace(self.changed[index, (arm.x, arm.force)])

    def _donor(self, index: int, arm: Arm, draw: int) -> Donor | None:
        item = self.items[index]
        if not arm.donor:
            return None
        if arm.donor == "base":
            choice = item.answer if item.answer else None
            return Donor(imagining(_trace(self.base[index])), item.id, choice)
        if arm.donor == "x":
            trace = imagining(self._run_on_x(index, arm))
            assert arm.x is not None
            source = self.sources.get((index, (arm.x, arm.force)))
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
            if not isinstance(made, Trace) or not _imagined(made):
                continue
            if found == draw:
                other = self.items[place]
                return Donor(made, other.id, donors.expected(item, other, arm.donor))
            found += 1
        raise InputError(f"no donor of class “{arm.donor}” that imagined was found")

    def _job(self, index: int, arm: Arm, parent: Trace, draw: int) -> Job:
        donor = self._donor(index, arm, draw)
        return Job(
            index, arm, draw, parent, self._edits(index, parent, arm.z[0], donor, draw), donor
        )

    def _branches(self, jobs: Sequence[Job]) -> list[Row]:
        """Rows of branches that are made in one batch and forgotten again."""
        made = branch(
            self.engine, [(job.parent, job.edits) for job in jobs], self.cancel, self.made
        )
        runs = [
            (job.index, one) for job, one in zip(jobs, made, strict=True) if isinstance(one, Trace)
        ]
        scored = iter(self._scores(runs))
        rows = []
        for job, one in zip(jobs, made, strict=True):
            if not isinstance(one, Trace):
                rows.append(self._row(job.index, job.arm, job.draw, {"skipped": str(one)}))
                continue
            said = outcome(self.items[job.index], one, next(scored))
            if job.donor is not None:
                said["donor"], said["expected"] = job.donor.name, job.donor.expected
                if job.donor.trace.spans and job.parent.spans:
                    said["aligned"] = len(job.donor.trace.spans[0]) == len(job.parent.spans[0])
            rows.append(self._row(job.index, job.arm, job.draw, said))
        self.engine.store.forget(*(one.id for _, one in runs))
        return rows

    def _edits(
        self, index: int, parent: Trace, edit: Latent, donor: Donor | None, draw: int
    ) -> list[Edit]:
        values = {
            name: getattr(edit, name)
            for name in Latent.__dataclass_fields__
            if name != "kind" and getattr(edit, name) is not None
        }
        seed = donors.seed_of(self.design.seed, self.items[index].id, edit.kind, draw) % (1 << 31)
        if edit.kind != TRANSPLANT:
            given = donor.trace if donor else None
            return [Edit(edit.kind, seed=seed, donor=given, **values)]
        if donor is None:
            raise InputError("a transplant needs a donor")
        if self.engine.family.imagines_in_words:
            return [Edit("text", text=sentence(self.engine, donor.trace))]
        imagining(parent)
        return [Edit("swap", seed=seed, donor=donor.trace, **values)]

    def _whole(
        self,
        index: int,
        arm: Arm,
        trace: Trace,
        scores: Mapping[str, float] | ZscopeError | None,
    ) -> Row:
        """The row of an arm that is a run of its own."""
        said = outcome(self.items[index], trace, scores)
        if arm.x is not None:
            source = self.sources.get((index, (arm.x, arm.force)))
            if source is not None:
                said["donor"] = source.id
                if source is self.items[index].counterfactual:
                    said["expected"] = source.answer
        return self._row(index, arm, 0, said)

    def _row(self, index: int, arm: Arm, draw: int, said: Row) -> Row:
        item = self.items[index]
        about = {"key": self.key(item, arm), "item": item.id, "arm": arm.name, "draw": draw}
        return {**about, "task": item.task, "cluster": item.cluster, "gold": item.answer, **said}

    def _forget(self) -> None:
        self.engine.store.forget(*self.made)
        self.pictures.clear()


def _trace(made: Made) -> Trace:
    if isinstance(made, Trace):
        return made
    raise made


def _imagined(trace: Trace) -> bool:
    return trace.emitted or trace.imagined is not None


def imagining(trace: Trace) -> Trace:
    """The trace itself.

    Raises:
        InputError: it has neither latents nor an imagined sentence.
    """
    if not _imagined(trace):
        raise InputError("one of the two runs did not imagine, so there is nothing to cross")
    return trace


def sentence(engine: Engine, trace: Trace) -> str:
    """The words a model imagined, without special tokens."""
    if trace.imagined is None:
        raise InputError("the donor imagined no sentence")
    first, last = trace.imagined
    silent = engine.reader.silent
    words = engine.reader.decode([t for t in trace.token_ids[first:last] if t not in silent])
    if not words.strip():
        raise InputError("the donor imagined no sentence")
    return words.strip()
