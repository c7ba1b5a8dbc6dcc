"""The Guide: three findings derived again before your eyes, a click or an arrow key a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.arrival import told
from gui.demonstrations import Show
from gui.desk import GONE, sentence_of
from gui.findings import FINDINGS, LAST, place_of
from gui.screen import screen
from gui.still import question_html, still_answers, still_picture, still_strip
from gui.studio import QUEUE
from gui.visits import Visit

if TYPE_CHECKING:
    from gui.desks import Desks

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
SCRIPT = (Path(__file__).parent / "components" / "guide.js").read_text(encoding="utf-8")
# The tab that was clicked would keep the arrow keys to itself.
FOCUS = "() => setTimeout(() => document.activeElement && document.activeElement.blur(), 50)"


@dataclass
class Progress:
    """How far a visitor is.

    Attributes:
        show: the stage.
        wanted: position among all steps that was asked for last.
        done: position that is shown; −1 before the first.
        result: what came of it, in one sentence.
        trouble: whether that sentence tells of a problem.
        busy: a step is being done.
    """

    show: Show
    wanted: int = 0
    done: int = -1
    result: str = ""
    trouble: bool = False
    busy: bool = field(default=False)


class Guide:
    """The tab's widgets, laid out where it is made; :meth:`wire` ties them."""

    def __init__(self) -> None:
        with gr.Row(elem_id="guide", equal_height=False):
            with gr.Column(elem_id="guide-words", min_width=280):
                self.words = gr.HTML("", js_on_load=SCRIPT, elem_id="guide-said")
                self.take = gr.Button(
                    "Go on with this in the Studio", size="sm", elem_id="guide-take",
                    interactive=False,
                )  # fmt: skip
            with gr.Column(elem_id="guide-stage", min_width=320):
                self.stage = gr.HTML("", elem_id="guide-shown")

    def wire(self, desks: Desks, tabs: gr.Tabs, tab: gr.Tab, opened: Any) -> None:
        """Tie the widgets to what they do.

        Args:
            opened: the event after which a fresh tab is ready.
        """
        self.desks, self.tabs = desks, tabs
        key, shown = desks.page.key, [self.words, self.stage, self.take]
        queued = {**QUEUE, **QUIET}
        self.words.go(self.on_wish, key, self.words, queue=False, **QUIET).then(
            self.on_go, key, shown, **queued
        )
        tab.select(self.on_go, key, shown, **queued)
        tab.select(None, None, None, js=FOCUS, show_progress="hidden")
        opened.then(self.on_arrive, key, [tabs, self.words], queue=False, **QUIET)
        self.take.click(
            self.on_take, key, [*desks.page.opening, desks.page.stop, tabs], queue=False, **QUIET
        )

    def progress(self, key: str | None) -> Progress | None:
        """How far the visitor is; None when the visit was let go."""
        visit = self.desks.visits.get(key)
        if visit is None:
            return None
        if "guide" not in visit.beside:
            visit.beside["guide"] = Progress(Show(self.desks.shelf, self.desks.page.panel))
        found: Progress = visit.beside["guide"]
        return found

    def on_arrive(self, key: str, request: gr.Request) -> dict[Any, Any]:
        """``?guide=1`` opens the Guide, which then begins by itself."""
        if dict(request.query_params).get("guide") != "1":
            return {self.words: gr.update()}
        return {self.tabs: gr.Tabs(selected="guide")}

    def on_wish(self, key: str, event: gr.EventData) -> str:
        """Another step was asked for; one that is under way gives way to it."""
        progress = self.progress(key)
        if progress is None:
            return words_html(None, GONE)
        finding = getattr(event, "finding", None)
        if finding is not None:
            before = FINDINGS[: max(0, min(int(finding), len(FINDINGS) - 1))]
            progress.wanted = sum(len(f.steps) for f in before)
        else:
            progress.wanted = max(0, min(progress.wanted + int(event.by), LAST))
        return words_html(progress)

    def on_go(self, key: str) -> Iterator[dict[Any, Any]]:
        """Do the step that was asked for, unless it stands there already."""
        progress = self.progress(key)
        if progress is None:
            yield {self.words: words_html(None, GONE)}
            return
        if progress.done == progress.wanted:
            yield {self.words: words_html(progress)}
            return
        position = progress.wanted
        _, step, _ = place_of(position)
        progress.done, progress.result, progress.trouble = position, "", False
        progress.busy = True
        yield {self.words: words_html(progress), self.take: gr.update(interactive=False)}
        try:
            with self.desks.shelf.line.join(key, progress.show.visit.cancel) as ticket:
                for sentence in ticket.waiting():
                    progress.result = sentence
                    yield self._paint(progress)
                for sentence in step.act(progress.show):
                    progress.result = sentence
                    yield self._paint(progress)
                    if progress.wanted != position:
                        return
        except Exception as error:
            progress.result, progress.trouble = sentence_of(error), True
        finally:
            progress.busy = False
            visit = self.desks.visits.get(key)
            if visit is not None:
                self.desks.visits.settle(visit)
        yield {**self._paint(progress), self.take: gr.update(interactive=self._taken(progress))}

    def _taken(self, progress: Progress) -> bool:
        return progress.show.visit.baseline is not None

    def _paint(self, progress: Progress) -> dict[Any, Any]:
        return {self.words: words_html(progress), self.stage: self._stage(progress.show)}

    def _stage(self, show: Show) -> str:
        if show.visit.baseline is None:
            return ""
        room = self.desks.shelf.of(show.model)
        about = self.desks.shelf.models[show.model].about
        return (
            f'<header class="model-name"><h2>{escape(show.model)}</h2>'
            f"<p>{escape(about)} · {escape(room.engine.family.title)}</p></header>"
            f'<div class="stage"><div class="x">{still_picture(show.visit)}'
            f"{question_html(show.visit)}</div>"
            f'<div class="z">{still_strip(show.visit, room)}</div>'
            f'<div class="y">{still_answers(show.visit, room)}</div></div>'
        )

    def on_take(self, key: str) -> dict[Any, Any]:
        """What is on the stage goes to the Studio."""
        progress, visit = self.progress(key), self.desks.visits.get(key)
        if progress is None or visit is None or progress.show.visit.baseline is None:
            return {self.desks.page.say: gr.update()}
        carry(progress.show.visit, visit)
        desk = self.desks.at(self.desks.shelf.of(visit.model))
        self.desks.sessions.autosave.touch(key)
        page = desk.paint(screen(visit, desk.workshop), visit)
        return {**page, **told(desk, visit), self.tabs: gr.Tabs(selected="studio")}


def carry(source: Visit, target: Visit) -> None:
    """Put one visit's screen on another's."""
    target.cancel.set()
    target.image, target.uri, target.example = source.image, source.uri, source.example
    target.asked, target.options, target.model = source.asked, source.options, source.model
    target.branches = source.branches.copy()
    target.base, target.shown = source.base, source.shown
    target.span, target.steps, target.patches = 0, (), source.patches
    target.past, target.future = [], []
    target.scores = dict(source.scores)
    target.pending, target.say, target.trouble = None, "", False
    target.beside.pop("made with", None)


def words_html(progress: Progress | None, sentence: str = "") -> str:
    """The presenter's side."""
    if progress is None:
        return f'<p class="say trouble" role="alert">{escape(sentence)}</p>'
    finding, step, number = place_of(progress.wanted)
    tabs = "".join(
        f'<button type="button" data-finding="{i}" '
        f'aria-current="{"true" if one is finding else "false"}">{escape(one.title)}</button>'
        for i, one in enumerate(FINDINGS)
    )
    dots = "".join(
        f'<i class="{"on" if i + 1 <= number else ""}"></i>' for i in range(len(finding.steps))
    )
    here = progress.done == progress.wanted
    result = progress.result if here else ""
    kind = "trouble" if progress.trouble and here else "busy" if progress.busy else ""
    back = ' disabled=""' if progress.wanted == 0 else ""
    on = ' disabled=""' if progress.wanted == LAST else ""
    return (
        f'<nav class="findings" aria-label="Findings">{tabs}</nav>'
        f'<p class="dots" aria-label="Step {number} of {len(finding.steps)}">{dots}</p>'
        f"<h2>{escape(step.title)}</h2><p class='words'>{escape(step.words)}</p>"
        f'<p class="result {kind}" role="status">{escape(result) or "&nbsp;"}</p>'
        f'<div class="go"><button type="button" data-by="-1"{back}>Back</button>'
        f'<button type="button" class="on" data-by="1"{on}>Next</button>'
        '<span class="hint">or the arrow keys</span></div>'
    )
