"""What the Sweep tab asks of the run on the screen: which run, and which branches of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gui.acts import GuiError
from gui.steps import parse_steps

if TYPE_CHECKING:
    from core.records import Trace
    from core.study.sweep import Wish
    from gui.visits import Visit
    from gui.workshop import Workshop

FIGURES = {
    "doses": "Dose–response",
    "steps": "Step profile",
    "exits": "Early exit",
    "edges": "Knockout by layer window",
    "slots": "Layer × step patching",
}
KINDS = {"gaussian": "Noise in a random direction", "steer": "Toward others' latents"}
MOST_TRIED = 12  # examples that are run in search of donors


@dataclass(frozen=True)
class Asked:
    """What a person set.

    Attributes:
        figures: keys of :data:`FIGURES`.
        kind: key of :data:`KINDS`.
        steps: which latents, as people write them.
        mode: what becomes of later latents.
        doses: as text, in units of each latent's own length.
        draws, seed: how many, from which seed on.
        width: of a layer window.
    """

    figures: tuple[str, ...] = tuple(FIGURES)
    kind: str = "gaussian"
    steps: str = "all"
    mode: str = "propagate"
    doses: str = "0.05, 0.1, 0.25, 0.5, 1, 2, 4"
    draws: int = 4
    seed: int = 0
    width: int = 1


@dataclass(frozen=True, eq=False)
class Subject:
    """The run that is swept.

    Attributes:
        trace, title: of the branch on the screen.
        span: which of its spans; K is its length.
        options: answer options, or none.
        model: the model's name.
        layers: of the model.
        donor: of the patched slots, and what it is called.
    """

    trace: Trace
    title: str
    span: int
    options: tuple[str, ...]
    model: str
    layers: int
    donor: Trace | None = None
    donor_title: str = ""

    @property
    def place(self) -> str:
        """Which span of which run."""
        return f"{self.trace.id}:{self.span}"

    @property
    def count(self) -> int:
        """K."""
        return len(self.trace.spans[self.span])


def subject(visit: Visit, workshop: Workshop) -> Subject:
    """The run on the Studio's screen, if it can be swept.

    Raises:
        GuiError: it cannot; the sentence says what to do.
    """
    from core.engine import Engine

    engine = workshop.engine
    trace = visit.edited or visit.baseline
    if trace is None:
        raise GuiError("Run a question in the Studio first; its run is swept here.")
    if not isinstance(engine, Engine):  # recorded runs, or a model that is lent from elsewhere
        raise GuiError("A sweep asks the model itself, which is not loaded on this machine.")
    if not engine.family.latent:
        how = "imagines in words" if engine.family.imagines_in_words else "does not imagine"
        raise GuiError(f"A sweep changes latents, and this model {how}; choose another model.")
    if not trace.spans:
        raise GuiError(
            "The model answered without imagining, so there is nothing to sweep; force a span in "
            "the Studio."
        )
    if trace.ended_by == "cancelled":
        raise GuiError("This run was stopped before its answer; run the question again.")
    span = visit.span if visit.span < len(trace.spans) else 0
    branch = visit.branches.get(trace.id)
    name = Path(engine.name).name
    title = branch.title if branch is not None else "Baseline"
    return Subject(trace, title, span, visit.options, name, engine.passes.layers)


def parse_doses(text: str) -> tuple[float, ...]:
    """Doses from “0.1, 1, 4”; none at all is allowed.

    Raises:
        GuiError: something else than numbers of 0 or more, or too many.
    """
    parts = [p for p in re.split(r"[,;\s]+", text.strip()) if p]
    try:
        doses = tuple(dict.fromkeys(float(p) for p in parts))
    except ValueError:
        raise GuiError(
            f"“{text[:60]}” is no list of doses; write for instance 0.1, 1, 4."
        ) from None
    if any(not 0 <= d <= 1000 for d in doses):
        raise GuiError("A dose lies between 0 and 1000 times a latent's own length.")
    return doses


def plan(
    asked: Asked, about: Subject, visit: Visit, workshop: Workshop
) -> tuple[Subject, dict[str, list[Wish]]]:
    """The wishes of each figure, and the subject with the donor its slots are taken from.

    Examples are run where donors are needed; the caller holds the model's turn, not its lock.

    Raises:
        GuiError, StepsError: something asked for cannot be made.
    """
    from core.study import wishes

    steps = parse_steps(asked.steps or "", about.count)
    doses = parse_doses(asked.doses)
    if asked.draws < 1 or asked.width < 1:
        raise GuiError("Ask for at least one draw and a window of at least one layer.")
    # before they are made: a number of draws with many digits would fill the memory
    each = len(doses) * ("doses" in asked.figures)
    if asked.kind != "steer":  # of which there are no more than donors
        each += about.count * ("steps" in asked.figures)
    visit.bounds.check_sweep(asked.draws * each)
    out: dict[str, list[Wish]] = {}
    donors: list[Trace] = []
    if asked.kind == "steer" and {"doses", "steps"} & set(asked.figures):
        found = examples(about, visit, workshop, asked.draws)
        donors = [run for _, run in found]
        if not donors:
            raise GuiError("No other example imagined as many latents; sweep with noise instead.")
    if "doses" in asked.figures:
        pictures = other_pictures(about, visit, workshop, asked.draws)
        out["doses"] = wishes.doses(
            asked.kind, doses, asked.draws, steps, about.span, asked.mode, donors, pictures,
            asked.seed,
        )  # fmt: skip
    if "steps" in asked.figures:
        dose = step_dose(doses)
        out["steps"] = wishes.steps(
            asked.kind, dose, about.count, asked.draws, about.span, donors, seed=asked.seed
        )
    if "exits" in asked.figures:
        out["exits"] = wishes.exits(about.count, about.span)
    if "edges" in asked.figures:
        out["edges"] = wishes.knockouts(about.layers, asked.width, about.span)
    if "slots" in asked.figures:
        found = examples(about, visit, workshop, 1, another=True)
        if found:
            index, donor = found[0]
            about = replace(about, donor=donor, donor_title=f"example {index + 1}")
            count = min(about.count, len(donor.spans[about.span]))
            out["slots"] = wishes.patches(donor, count, about.layers, asked.width, about.span)
    return about, out


def step_dose(doses: tuple[float, ...]) -> float:
    """The dose of single steps: the one nearest to twice a latent's length."""
    return min(doses, key=lambda d: abs(d - 2)) if doses else 2.0


def _others(visit: Visit, workshop: Workshop) -> list[int]:
    """Other examples, those of the same task first."""
    items = workshop.items
    here = visit.example
    task = items[here].task if here is not None and here < len(items) else None
    others = [n for n in range(len(items)) if n != here]
    return sorted(others, key=lambda n: items[n].task != task)


def examples(
    about: Subject, visit: Visit, workshop: Workshop, most: int, another: bool = False
) -> list[tuple[int, Trace]]:
    """Runs of other examples that imagined; with ``another``, such as gave another answer, those
    whose answer is an option first."""
    from core.measures.outcome import same_answer

    found = []
    for index in _others(visit, workshop)[:MOST_TRIED]:
        run = workshop.example(index)
        if about.span >= len(run.spans) or (
            another and same_answer(run.answer, about.trace.answer)
        ):
            continue
        if not another and len(run.spans[about.span]) < about.count:
            continue
        found.append((index, run))
        if another and run.answer in about.options:
            return [(index, run)]
        if not another and len(found) == most:
            break
    return found[:most]


def other_pictures(about: Subject, visit: Visit, workshop: Workshop, most: int) -> list[Any]:
    """Tokens of other examples' pictures; none where the run had no picture."""
    if not about.trace.prompt.grid[0]:
        return []
    chosen = _others(visit, workshop)[:most]
    with workshop.lock:
        return [workshop.engine.see(workshop.items[n].image, about.trace) for n in chosen]
