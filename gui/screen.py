"""One visit as the HTML of every part of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from gui.aim import seen_of
from gui.comparison import badge
from gui.components.answers import answers_html
from gui.components.inspector import inspector_html
from gui.components.look import look_value
from gui.components.picture import picture_html
from gui.components.strip import Slot, slots, strip_html
from gui.components.tree import Leaf, tree_html
from gui.components.wordwise import wordwise_html
from gui.figures.map import map_figure
from gui.figures.similarity import similarity_figure
from gui.inspection import look, read_pending, read_selected, says
from gui.pointing import can_point, trail_of
from gui.wording import answer_line, edit_title, emission_line

if TYPE_CHECKING:
    from core.records import Trace
    from gui.visits import Visit
    from gui.workshop import Workshop

REMEDY = "The model answered without imagining, so there is nothing to edit."


@dataclass(frozen=True)
class Screen:
    """HTML of the page's parts, as strings; figures and the look as what their scripts draw."""

    picture: str
    strip: str
    answers: str
    tree: str
    inspector: str
    say: str
    look: dict[str, Any] | None = None
    map: dict[str, Any] | None = None
    similarity: dict[str, Any] | None = None


def screen(visit: Visit, workshop: Workshop) -> Screen:
    """Everything drawn anew from what the visit holds."""
    if visit.pending is not None:
        return _waiting(visit, workshop)
    base, edited = visit.baseline, visit.edited
    shown = edited or base
    titles = workshop.titles
    missing: list[str] = []
    look, map, similarity = (
        _drawn(missing, name, make)
        for name, make in (
            ("look at the picture", lambda: looked(visit, workshop)),
            ("map", lambda: map_of(visit, workshop)),
            ("similarity", lambda: _similarity(visit)),
        )
    )
    lens = _drawn(missing, "logit lens", lambda: says(visit, workshop, shown) if shown else {})
    inspector = _drawn(missing, "inspector", lambda: inspected(visit, workshop))
    say = " ".join([visit.say, *(f"The {name} could not be drawn." for name in missing)]).strip()
    return Screen(
        picture=_picture(visit, workshop, shown),
        strip=_strip(visit, workshop, base, edited, lens or {}),
        answers=answers_html(
            base,
            edited,
            titles,
            (visit.branches[visit.base].title if visit.base else "Baseline", _name(visit)),
            (visit.scores.get(visit.base or "", {}), visit.scores.get(visit.shown or "", {})),
        ),
        tree=tree_html(leaves(visit)),
        inspector=inspector or "",
        say=say_html(say, visit.trouble or bool(missing)),
        look=look,
        map=map,
        similarity=similarity,
    )


def _drawn(missing: list[str], name: str, make: Callable[[], Any]) -> Any:
    """One part beside the run itself; where it fails, the rest of the page is shown without it."""
    try:
        return make()
    except Exception as error:  # whatever it is: the answer must stay readable
        from gui.desk import sentence_of

        sentence_of(error)  # which writes it down
        missing.append(name)
        return None


def going(visit: Visit, places: Sequence[Slot], said: str, sentence: str) -> Screen:
    """The page while a run is under way.

    Args:
        places: what was fed so far.
        said: the words so far.
        sentence: what is going on.
    """
    return Screen(
        picture=picture_html(visit.uri, visit.image.size if visit.image else (1, 1)),
        strip=strip_html(visit.asked, (0, 0), places, going=True),
        answers=answers_html(None, None, {}, partial=said),
        tree="",
        inspector="",
        say=say_html(sentence, False),
    )


def _waiting(visit: Visit, workshop: Workshop) -> Screen:
    """The page while a run waits before a latent is fed; the baseline stays beside it."""
    waiting = visit.pending
    name = f"z{waiting.step.step + 1}"
    here = visit.baseline is not None and can_point(visit)
    grid = visit.baseline.prompt.grid if here and visit.baseline is not None else (0, 0)
    strip = strip_html(
        visit.asked,
        grid,
        [*waiting.watch.places[:-1], replace(waiting.watch.places[-1], pending=True)],
        pending=(name, waiting.choices, waiting.chosen),
        seen=seen_of(visit),
    )
    still = screen(replace(visit, pending=None), workshop)
    size = visit.image.size if visit.image is not None else (1, 1)
    return replace(
        still,
        picture=picture_html(visit.uri, size, grid, pointing=f"feed its patch as {name}"),
        strip=strip,
        inspector=inspector_html(
            read_pending(visit, workshop), waiting.step.step, visit.uri, "Waiting to be fed: "
        ),
        look=None,
        say=say_html(visit.say or f"{name} is about to be fed.", visit.trouble),
    )


def say_html(sentence: str, trouble: bool) -> str:
    """The line that says what happened, read aloud by a screen reader."""
    kind = "trouble" if trouble else "calm"
    role = "alert" if trouble else "status"
    return f'<p class="say {kind}" role="{role}">{escape(sentence)}</p>'


def leaves(visit: Visit) -> list[Leaf]:
    """The branches as the tree lists them, children under their parents."""
    base = visit.baseline
    order: list[str] = []

    def walk(id: str) -> None:
        order.append(id)
        for child, branch in visit.branches.items():
            if branch.trace.parent == id:
                walk(child)

    for id, branch in visit.branches.items():
        if branch.trace.parent not in visit.branches:
            walk(id)
    return [
        Leaf(
            id,
            visit.branches[id].title,
            answer_line(visit.branches[id].trace),
            visit.branches[id].depth,
            badge(base, visit.branches[id].trace) if base is not None and id != visit.base else "",
            id == visit.shown,
            id == visit.base,
        )
        for id in order
    ]


def inspected(visit: Visit, workshop: Workshop) -> str:
    """The inspector of the selected latent; of a run without any, its words."""
    engine = workshop.engine
    shown = visit.edited or visit.baseline
    wordy = engine is not None and not engine.family.latent
    # recorded runs of several models share one engine
    wordy = wordy or (shown is not None and shown.imagined is not None and not shown.spans)
    if wordy:
        reader = getattr(engine, "reader", None)
        return wordwise_html(shown, reader.label if reader else None) if shown else ""
    reading = read_selected(visit, workshop)
    return inspector_html(reading, visit.steps[-1] if visit.steps else 0, visit.uri)


def looked(
    visit: Visit, workshop: Workshop, layer: int | None = None, head: int | None = None
) -> dict[str, Any] | None:
    """Where the selected latent looks, in one layer and head or their mean.

    Raises:
        core.errors.InputError: no such layer or head.
    """
    reading = read_selected(visit, workshop)
    if reading is None:
        return None
    live = hasattr(workshop.engine, "passes")
    if not live:
        layer = head = None
    looks = look(visit, workshop, layer, head)
    return look_value(reading, visit.steps[-1], live, looks, layer, head)


def _picture(visit: Visit, workshop: Workshop, shown: Trace | None) -> str:
    size = visit.image.size if visit.image is not None else (1, 1)
    if shown is None or visit.span >= len(shown.spans):
        return picture_html(visit.uri, size)
    way = trail_of(visit, shown, visit.span)
    here = visit.patches is not None and any(k.name == "patch" for k in workshop.kinds)
    recorded = getattr(workshop.engine, "recorded", False)
    pointing = "point {} at it" if here and not recorded else ""
    return picture_html(visit.uri, size, shown.prompt.grid, way, visit.steps, pointing, visit.span)


def _spans(visit: Visit) -> tuple[Any, Any]:
    """The selected span's latents (K, D), before and after; None where there are none."""
    runs = (visit.baseline, visit.edited)
    before, after = (
        run.spans[visit.span].latents if run and visit.span < len(run.spans) else None
        for run in runs
    )
    return before, after


def map_of(visit: Visit, workshop: Workshop, method: str = "pca") -> dict[str, Any] | None:
    """The map's figure: bank, baseline and edited latents in one joint fit."""
    from core.measures.projection import project

    before, after = _spans(visit)
    if before is None:
        return None
    after = before[:0] if after is None else after
    bank = workshop.background(visit.example)
    fitted = project([before, after, before[:0] if bank is None else bank], method)
    p, q, others = fitted.tables
    axes = ("", "")
    if fitted.shares is not None:
        axes = (f"PC 1 ({fitted.shares[0]:.0%})", f"PC 2 ({fitted.shares[1]:.0%})")
    return map_figure(
        p.tolist(), q.tolist(), others.tolist(), workshop.background_name, visit.steps, visit.span,
        axes, " ".join(t for t in (fitted.caption, fitted.note) if t), method,
    )  # fmt: skip


def _similarity(visit: Visit) -> dict[str, Any] | None:
    from core.measures.similarity import within_run

    before, after = _spans(visit)
    if before is None:
        return None
    edited = within_run(after).tolist() if after is not None else ()
    return similarity_figure(within_run(before).tolist(), edited, visit.span)


def _strip(
    visit: Visit,
    workshop: Workshop,
    base: Trace | None,
    edited: Trace | None,
    lens: Mapping[tuple[int, int], tuple[Any, ...]],
) -> str:
    shown = edited or base
    if shown is None:
        return strip_html("", (0, 0), ())
    remedy = ""
    family: Any = workshop.engine.family if workshop.engine is not None else None
    silent = not shown.spans and shown.imagined is None and shown.ended_by != "cancelled"
    if family is not None and family.latent and silent:
        remedy = REMEDY if edited is None else emission_line(shown, True)
    before = base if edited is not None else None
    places = slots(shown, before, lambda e: edit_mark(e, workshop.titles), lens)
    return strip_html(
        shown.prompt.question,
        shown.prompt.grid,
        places,
        (visit.span, visit.steps),
        remedy=remedy,
        seen=seen_of(visit),
    )


def edit_mark(edit: Any, titles: dict[str, str]) -> str:
    """An edit's name for the cell it stands on, without the steps."""
    return edit_title(replace(edit, steps=None), titles)


def _name(visit: Visit) -> str:
    branch = visit.branches.get(visit.shown or "")
    return branch.title if branch is not None and visit.shown != visit.base else "Edited"
