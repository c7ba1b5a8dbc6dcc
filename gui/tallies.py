"""Numbers of the Guide, counted over the built-in examples at the moment they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gui.oneclick import one_click
from gui.panel import other_example
from gui.pointing import trail
from gui.visits import Visit

if TYPE_CHECKING:
    from gui.panel import Panel
    from gui.workshop import Workshop


@dataclass(frozen=True)
class Tally:
    """One edit on every example.

    Attributes:
        asked: examples that were run and edited.
        changed: of those, how many answers changed.
        could: examples whose donor implies an answer other than the one before the edit.
        followed: of those, how many answered what the donor implies.
        latents: latents of one imagination; 0 for a model that imagines in words.
        examples: all there are.
    """

    asked: int = 0
    changed: int = 0
    could: int = 0
    followed: int = 0
    latents: int = 0
    examples: int = 0


def tally(name: str, workshop: Workshop, panel: Panel) -> Iterator[Tally]:
    """The edit called ``name`` on each example, yielding after each one.

    Raises:
        gui.acts.GuiError: when this model has nothing of the kind.
    """
    from core.measures.outcome import same_answer

    count = len(workshop.items)
    now = Tally(examples=count)
    for index in range(count):
        visit = Visit(example=index)
        base = workshop.example(index)
        visit.begin(base)
        edit, _ = one_click(name, visit, workshop, panel)
        with workshop.lock:
            child = workshop.engine.branch(base, [edit])
            workshop.let_go({child.id})
        implied = _implied(workshop.items, index, visit, workshop) if name == "swap" else None
        could = implied is not None and not same_answer(implied, base.answer)
        now = Tally(
            now.asked + 1,
            now.changed + (not same_answer(base.answer, child.answer)),
            now.could + could,
            now.followed + (could and same_answer(implied, child.answer)),
            len(base.spans[0]) if base.spans else 0,
            count,
        )
        yield now


def _implied(items: Any, index: int, visit: Visit, workshop: Workshop) -> str | None:
    """The answer to an example's question if the donor's imagination is believed."""
    donor = other_example(visit, workshop)
    if donor is None:
        return None
    implied: str | None = items[index].transferred_from(items[donor])
    return implied


def alikeness(workshop: Workshop) -> Iterator[tuple[int, float | None]]:
    """(examples run, mean cosine) of different examples' latents at the same step."""
    from core.measures.similarity import across_runs

    spans = []
    for index in range(len(workshop.items)):
        trace = workshop.example(index)
        if trace.spans:
            spans.append(trace.spans[0].latents)
        yield index + 1, None
    if len(spans) < 2:
        yield len(spans), None
        return
    grid = across_runs(spans)  # (K, N, N)
    n = grid.shape[1]
    pairs = [grid[:, i, j] for i in range(n) for j in range(i)]
    values = [v for row in pairs for v in row.tolist() if v == v]
    yield n, sum(values) / len(values) if values else None


def traced(workshop: Workshop) -> Iterator[tuple[int, int, int]]:
    """(planning pictures seen, of all, whose path the latents' nearest patches trace)."""
    plans = [i for i, item in enumerate(workshop.items) if item.task == "plan"]
    right = 0
    for seen, index in enumerate(plans, 1):
        right += traces_path(workshop, index)
        yield seen, len(plans), right


def traces_path(workshop: Workshop, index: int) -> bool:
    """Whether the nearest patches, one after another, are the squares of the path in order."""
    trace = workshop.example(index)
    rows, columns = trace.prompt.grid
    if not trace.spans or not rows:
        return False
    with workshop.lock:
        patches = workshop.engine.patches(trace)
    way = [p for p in trail(trace.spans[0].latents, patches, (rows, columns)) if p is not None]
    cells = [r * columns + c for r, c in way]
    once = [c for i, c in enumerate(cells) if not i or c != cells[i - 1]]
    return once == list(workshop.items[index].target_cells)
