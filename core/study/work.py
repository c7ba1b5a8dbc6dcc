"""One block of items through all arms: the parents in batches, then all branches together.

Everything a row is needs only the design and the block's own items (and the few donors from
elsewhere), so blocks can be done in any order, by any process, again or not. When a block is
done the engine forgets its runs: memory depends on the size of a block, not of the data set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from core.engine import Engine
from core.engine.asked import spoken
from core.errors import ZscopeError
from core.records import Receipt, Trace
from core.study.arms import Arm
from core.study.asking import score
from core.study.design import Design
from core.study.items import StudyItem
from core.study.jobs import Job, job_of
from core.study.keeping import Kept
from core.study.outcomes import moved, outcome
from core.study.parents import Parents
from core.study.rows import Row
from core.study.spans import change_all

TOGETHER = 256
"""Branches made and scored at a time."""

Scores = Mapping[str, float] | ZscopeError | None


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
        kept: vectors of its runs, for figures and probes.
    """

    engine: Engine
    design: Design
    items: Sequence[StudyItem]
    inside: Sequence[int]
    wanted: Mapping[int, Sequence[Arm]]
    key: Callable[[StudyItem, Arm], str]
    cancel: Event | None = None
    step: Callable[[int], None] = lambda rows: None
    kept: Kept = field(init=False)
    parents: Parents = field(init=False)

    def __post_init__(self) -> None:
        self.kept = Kept(self.engine, deep=bool(self.design.inside))

    def run(self) -> list[Row]:
        """The rows of every wanted arm of every item.

        Raises:
            Cancelled: it was stopped; the block counts as not begun.
        """
        self.parents = Parents(
            self.engine, self.design, self.items, self.inside, self.wanted, self.cancel
        )
        try:
            self.parents.ask()
            self._keep()
            return self._rows()
        finally:
            self.parents.forget()

    def _keep(self) -> None:
        """Copy what figures and probes look at before the runs are forgotten."""
        for index, made in self.parents.base.items():
            if isinstance(made, Trace) and index in self.wanted:
                self.kept.base(index, self.items[index].id, made)

    def _rows(self) -> list[Row]:
        """The rows of all items: first what is a run already, then the branches together."""
        rows: list[Row] = []
        whole: list[tuple[int, Arm, Trace]] = []
        jobs: list[Job] = []
        for index, arms in self.wanted.items():
            base = self.parents.base[index]
            if not isinstance(base, Trace):
                rows += [self._row(index, arm, 0, {"error": str(base)}) for arm in arms]
                continue
            for arm in arms:
                try:
                    parent = self.parents.of(index, arm)
                    if not arm.z:
                        whole.append((index, arm, parent))
                        continue
                    made = [self._job(index, arm, parent, draw) for draw in range(arm.draws)]
                except ZscopeError as error:
                    rows.append(self._row(index, arm, 0, {"skipped": str(error)}))
                    continue
                jobs += made
        leads = [self._lead(index, arm) for index, arm, _ in whole]
        scored = self._scores([(index, trace) for index, _, trace in whole], leads)
        rows += [
            self._whole(index, arm, trace, scores, lead)
            for (index, arm, trace), scores, lead in zip(whole, scored, leads, strict=True)
        ]
        self.step(len(rows))
        # prompts of like length side by side: within a part they share one batch
        order = sorted(range(len(jobs)), key=lambda n: len(jobs[n].parent.prompt.input_ids))
        branched: dict[int, Row] = {}
        for start in range(0, len(jobs), TOGETHER):
            part = order[start : start + TOGETHER]
            branched.update(zip(part, self._branches([jobs[n] for n in part]), strict=True))
            self.step(len(part))
        return rows + [branched[n] for n in range(len(jobs))]

    def _job(self, index: int, arm: Arm, parent: Trace, draw: int) -> Job:
        donor = self.parents.donor(index, arm, draw)
        item, seed = self.items[index], self.design.seed
        return job_of(self.engine, item, index, arm, draw, parent, donor, seed)

    def _lead(self, index: int, arm: Arm) -> str | None:
        """The words put between the latents and the options; None for the run's own."""
        if arm.words == "none":
            return self.engine.family.answer_opening
        base = self.parents.base[index]
        if arm.words == "held" and isinstance(base, Trace):
            return spoken(self.engine, self.engine.hold(base))
        return None

    def _scores(
        self, runs: Sequence[tuple[int, Trace]], leads: Sequence[str | None]
    ) -> list[Scores]:
        """The options of each run's item scored after it; None where it has none."""
        asked = [place for place, (index, _) in enumerate(runs) if self.items[index].options]
        found = score(
            self.engine,
            [(runs[p][1], self.items[runs[p][0]].options) for p in asked],
            [leads[p] for p in asked],
        )
        out: list[Scores] = [None] * len(runs)
        for place, one in zip(asked, found, strict=True):
            out[place] = one
        return out

    def _branches(self, jobs: Sequence[Job]) -> list[Row]:
        """Rows of branches that are made in one batch and forgotten again."""
        made = change_all(self.engine, jobs, self.cancel, self.parents.made)
        done = [(job, one) for job, one in zip(jobs, made, strict=True) if isinstance(one, tuple)]
        leads = [self._lead(job.index, job.arm) for job, _ in done]
        runs = [(job.index, trace) for job, (trace, _) in done]
        scored = iter(zip(self._scores(runs, leads), leads, strict=True))
        rows = []
        for job, one in zip(jobs, made, strict=True):
            if not isinstance(one, tuple):
                rows.append(self._row(job.index, job.arm, job.draw, {"skipped": str(one)}))
                continue
            trace, receipts = one
            if not job.draw:
                self.kept.edited(job.index, self.items[job.index].id, job.arm, trace)
            said = self._said(job.index, trace, *next(scored), receipts)
            if job.donor is not None and "choice" in said:
                said["donor"], said["expected"] = job.donor.name, job.donor.expected
                if job.aligned is not None:
                    said["aligned"] = job.aligned
            rows.append(self._row(job.index, job.arm, job.draw, said))
        self.engine.store.forget(*(trace.id for _, (trace, _) in done))
        return rows

    def _whole(self, index: int, arm: Arm, trace: Trace, scores: Scores, lead: str | None) -> Row:
        """The row of an arm that is a run of its own."""
        said = self._said(index, trace, scores, lead)
        base = self.parents.base[index]
        if arm.x is not None and isinstance(base, Trace):
            said["moved"] = moved(base, trace)
            source = self.parents.source(index, arm)
            if source is not None:
                said["donor"] = source.id
                if source is self.items[index].counterfactual:
                    said["expected"] = source.answer
        return self._row(index, arm, 0, said)

    def _said(
        self,
        index: int,
        trace: Trace,
        scores: Scores,
        lead: str | None,
        receipts: Sequence[Receipt] = (),
    ) -> Row:
        item = self.items[index]
        if lead is not None and not isinstance(scores, Mapping):
            why = str(scores) if scores is not None else "only options can be scored behind words"
            return {"skipped": why}
        return outcome(item, trace, scores, lead, receipts)

    def _row(self, index: int, arm: Arm, draw: int, said: Row) -> Row:
        item = self.items[index]
        about = {"key": self.key(item, arm), "item": item.id, "arm": arm.name, "draw": draw}
        return {
            **about,
            "task": item.task,
            "cluster": item.cluster,
            "gold": item.answer,
            **said,
        }
