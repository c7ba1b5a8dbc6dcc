"""Study: the same interventions over many items, and what they allow to be said.

The study runs in a thread of its own (:mod:`gui.studying`); the page looks at it twice a second
while the tab that started it is there, and whoever comes back to the tab finds it as it is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.aim import check_seen, seen_at
from gui.components.plot import plot
from gui.desk import GONE, sentence_of
from gui.figures import study as figures
from gui.screen import say_html
from gui.study_data import PLACE, SCENES, UPLOAD
from gui.study_job import TASKS, Data, count_of, declared, work_on
from gui.study_view import body_html, plan_html, progress_html
from gui.studying import Studying

if TYPE_CHECKING:
    from gui.desks import Desks
    from gui.workshop import Workshop

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
OTHER = "Another model is loaded than stood here, so it is named now; press Start once more."
LOOK = 0.5  # seconds between two looks at a running study
MOST, MOST_HOSTED = 100_000, 200
PRESETS = [
    ("Quick: each question once", "quick"),
    ("Published: with its missing controls", "published"),
    ("Full: doses, modes, loci, probes", "full"),
]


class StudyTab:
    """The tab's widgets, laid out where it is made; :meth:`wire` ties them.

    Args:
        own: visitors may name files and folders of this machine.
    """

    def __init__(self, own: bool) -> None:
        self.own = own
        self.most = MOST if own else MOST_HOSTED
        self.turn = threading.Lock()
        sources = [("Shipped scenes", SCENES), ("A file of mine", UPLOAD)]
        sources += [("On this machine", PLACE)] * own
        with gr.Row(elem_id="study", equal_height=False):
            with gr.Column(elem_id="study-asked", min_width=260):
                self.model = gr.HTML("", elem_id="study-model")
                self.source = gr.Radio(sources, value=SCENES, label="Data", elem_id="study-source")
                self.tasks = gr.CheckboxGroup(
                    list(TASKS), value=list(TASKS), label="Tasks", elem_id="study-tasks"
                )
                self.upload = gr.File(
                    label="A .csv, .json, .jsonl or .parquet table, a .zip of one with its "
                    "pictures, or a VSP archive",
                    type="filepath", visible=False, elem_id="study-upload",
                )  # fmt: skip
                self.place = gr.Textbox(
                    label="File or folder", placeholder="folder with items.jsonl, or a VSP set",
                    visible=False, elem_id="study-place",
                )  # fmt: skip
                self.count = gr.Number(
                    60, label="Items at most", precision=0, minimum=1, elem_id="study-count"
                )
                self.preset = gr.Dropdown(
                    PRESETS, value="quick", label="Preset", elem_id="study-preset"
                )
                with gr.Accordion("Margins, declared before the run", open=True):
                    self.accuracy = gr.Number(
                        2.0, label="Accuracy, ± points", minimum=0.1, maximum=99,
                        elem_id="study-accuracy",
                    )  # fmt: skip
                    self.flips = gr.Number(
                        5.0, label="Answers changed, %", minimum=0.1, maximum=99,
                        elem_id="study-flips",
                    )  # fmt: skip
                    self.logit = gr.Number(
                        0.1, label="Logit difference, ± nats", minimum=0.001, elem_id="study-logit"
                    )
                self.force = gr.Checkbox(label="Force a span in every run", elem_id="study-force")
                self.keep = gr.Textbox(
                    label="Keep it in this folder (goes on there after a restart)",
                    placeholder="empty: kept while this page is open", visible=own,
                    elem_id="study-keep",
                )  # fmt: skip
                with gr.Row(elem_id="study-go"):
                    self.start = gr.Button("Start", variant="primary", elem_id="study-start")
                    self.stop = gr.Button("Stop", interactive=False, elem_id="study-stop")
                self.plan = gr.HTML("", elem_id="study-plan")
            with gr.Column(elem_id="study-shown", min_width=320):
                self.progress = gr.HTML(progress_html(None), elem_id="study-progress")
                self.files = gr.File(
                    label="Take along", file_count="multiple", interactive=False, visible=False,
                    elem_id="study-files",
                )  # fmt: skip
                self.forest = plot("Effects", "study-forest", "shaded: the declared margin")
                self.split = plot("Mediation", "study-split", "what goes through the latents")
                self.body = gr.HTML("", elem_id="study-body")

    @property
    def shown(self) -> list[Any]:
        """What a running study changes."""
        return [
            self.progress, self.files, self.forest, self.split, self.body, self.start, self.stop,
        ]  # fmt: skip

    def wire(self, desks: Desks, tab: gr.Tab) -> None:
        """Tie the widgets to what they do."""
        self.desks = desks
        key = desks.page.key
        tab.select(
            self.on_show, [key, self.preset, self.count],
            [self.model, self.plan, *self.shown], queue=False, **QUIET,
        )  # fmt: skip
        self.source.change(
            self.on_source, self.source, [self.tasks, self.upload, self.place], queue=False, **QUIET
        )
        gr.on(
            [self.preset.change, self.count.change, self.count.blur],
            self.on_plan, [key, self.preset, self.count], [self.model, self.plan],
            queue=False, trigger_mode="always_last", **QUIET,
        )  # fmt: skip
        self.start.click(
            self.on_start,
            [
                key, self.model, self.source, self.tasks, self.upload, self.place, self.count,
                self.preset, self.accuracy, self.flips, self.logit, self.force, self.keep,
            ],
            [self.model, self.plan, *self.shown], js=seen_at("#study-model", "model"),
            concurrency_limit=None, **QUIET,
        )  # fmt: skip
        self.stop.click(self.on_stop, key, self.stop, queue=False, **QUIET)

    def on_source(self, source: str) -> dict[Any, Any]:
        """Other data: the fields it needs."""
        return {
            self.tasks: gr.update(visible=source == SCENES),
            self.upload: gr.update(visible=source == UPLOAD),
            self.place: gr.update(visible=source == PLACE),
        }

    def on_show(self, key: str, preset: str, count: float | None) -> dict[Any, Any]:
        """The tab was opened: a study that runs or has ended is shown as it is."""
        visit = self.desks.visits.get(key)
        if visit is None:
            return {self.progress: say_html(GONE, True)}
        return {**self.on_plan(key, preset, count), **self._view(visit.beside.get("study"))}

    def on_plan(self, key: str, preset: str, count: float | None) -> dict[Any, Any]:
        """What would be done with the model that is loaded."""
        visit = self.desks.visits.get(key)
        room = self.desks.shelf.of(visit.model if visit else None)
        if not room.ready:
            return {self.model: f"<p>{room.failure or 'The model is not ready yet.'}</p>"}
        from html import escape

        from core import study

        try:
            arms = study.preset(preset, room.engine.family)
            name = escape(_name(room), quote=True)
            name = f"<p data-model='{name}'>Model: <b>{name}</b></p>"
            plan = plan_html(arms, max(1, int(count or 1)), "")
        except Exception as error:
            return {self.plan: say_html(sentence_of(error), True)}
        return {self.model: name, self.plan: plan}

    async def on_start(
        self, key: str, seen: Any, source: str, tasks: list[str], upload: str | None, place: str,
        count: float | None, preset: str, accuracy: float, flips: float, logit: float,
        force: bool, keep: str,
    ) -> AsyncIterator[dict[Any, Any]]:  # fmt: skip
        """Start: the study runs, and is looked at until it ends."""
        visit = self.desks.visits.get(key)
        if visit is None:
            yield {self.progress: say_html(GONE, True)}
            return
        job: Studying | None = visit.beside.get("study")
        try:
            if job is None or not job.alive:
                room = self.desks.shelf.of(visit.model)
                check_seen(seen, _name(room) if room.ready else "", OTHER)
                data = Data(source, upload, place or "", count_of(count, self.most), tasks)
                design = declared(room, preset, accuracy, flips, logit, force)
                keep = keep or "" if self.own else ""
                job = work_on(
                    room, visit, key, data, design, keep,
                    lambda: self.desks.visits.get(key) is visit, self.turn,
                )  # fmt: skip
                visit.beside["study"] = job
                job.start()
        except Exception as error:
            plan = self.on_plan(key, preset, count)
            yield {**plan, self.progress: say_html(sentence_of(error), True)}
            return
        shown = -1
        while True:
            alive, version = job.alive, job.version
            if alive and version == shown:
                yield {self.progress: progress_html(job)}
            else:
                shown = version
                yield self._view(job)
            if not alive:
                return
            await asyncio.sleep(LOOK)

    def on_stop(self, key: str) -> Any:
        """Stop: within one step of the model; what is finished is kept."""
        visit = self.desks.visits.get(key)
        job = visit.beside.get("study") if visit is not None else None
        if job is not None:
            job.stop()
        return gr.update(interactive=False)

    def _view(self, job: Studying | None) -> dict[Any, Any]:
        """A study on the screen."""
        running = job is not None and job.alive
        study = job.study if job is not None else None
        forest = split = None
        if study is not None:
            forest = figures.forest(list(study.effects.values()), study.design.margins.accuracy)
            first = next(iter(study.splits.values()), None)
            if first is not None:
                unit = "nats" if "nats" in first.outcome else "points"
                split = figures.shares(first, unit)
        files = list(job.files) if job is not None else []
        return {
            self.progress: progress_html(job),
            self.files: gr.update(value=files or None, visible=bool(files) and not running),
            self.forest: forest,
            self.split: split,
            self.body: body_html(job),
            self.start: gr.update(interactive=not running),
            self.stop: gr.update(interactive=running),
        }


def _name(room: Workshop) -> str:
    """The model's name in a few letters."""
    return Path(str(room.engine.name)).name
