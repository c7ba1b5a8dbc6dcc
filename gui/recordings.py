"""The recorded runs that come with Zscope: opened without a model, made by ``launch.py record``.

One ``.zscope`` file an example: its run, a few edits of it, and what can be read off each latent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gui import acts
from gui.components.picture import data_uri
from gui.inspection import read
from gui.keeping import fill_visit, save_visit
from gui.oneclick import one_click
from gui.recorded import RecordedEngine
from gui.visits import Visit
from gui.workshop import Workshop

if TYPE_CHECKING:
    from core.records.archive import Session
    from gui.panel import Panel

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "recorded"
EDITS = ("swap", "zero", "noise")  # one-click edits that are recorded; the first is shown
EACH = 1  # examples of each task


class RecordedRoom(Workshop):
    """Where an engine's workshop would be: its examples are files.

    Args:
        like: the workshop it stands in for, whose kinds of edits name what was done.
        folder: of the recorded runs.
        names: which files of it are opened.
    """

    def __init__(self, like: Workshop, folder: Path = FOLDER, names: str = "*") -> None:
        self._sessions = [_opened(path) for path in sorted(folder.glob(f"{names}.zscope"))]
        family = self._sessions[0].traces[0].family if self._sessions else ""
        made = like.kinds

        def kinds() -> Sequence[Any]:
            from core.edits import kinds as own

            return made or own()

        super().__init__(lambda: RecordedEngine("recorded runs", family), lambda: (), kinds)
        self.warm()
        self.thumbnails = [
            (
                str(s.meta.get("model", "")),
                s.traces[0].prompt.question,
                data_uri(next(iter(s.images.values())), 96),
            )
            for s in self._sessions
        ]

    def __len__(self) -> int:
        return len(self._sessions)

    def show_example(self, visit: Visit, index: int) -> None:
        """Put a recorded run on a visit's screen.

        Raises:
            gui.acts.GuiError: when there is no such run.
        """
        if not 0 <= index < len(self._sessions):
            raise acts.GuiError(f"There are {len(self._sessions)} recorded runs; choose one.")
        session = self._sessions[index]
        fill_visit(visit, session, fresh=True)
        visit.example = index
        visit.beside["made with"] = str(session.meta.get("model", ""))[:200]
        visit.say = "A recorded run: everything works but asking and editing."
        visit.trouble = False


def first_screen(model: str, like: Workshop) -> tuple[Visit, RecordedRoom] | None:
    """The run a model's first example has, out of its file; None where it is not recorded.

    It is on the page while the model that made it is still being loaded.
    """
    room = RecordedRoom(like, names=f"{model}-1-*")
    if not len(room):
        return None
    visit = Visit()
    room.show_example(visit, 0)
    visit.shown, visit.span, visit.steps, visit.say = visit.base, 0, (), ""
    first = visit.branches[visit.base or ""]
    visit.branches.clear()
    visit.branches[first.trace.id] = first
    return visit, room


def _opened(path: Path) -> Session:
    from core.records import load

    return load(path)


def record(workshop: Workshop, model: str, panel: Panel, folder: Path) -> Iterator[Path]:
    """Record one example of each task with a model; the files, one by one.

    Args:
        workshop: the model's, ready.
        model: its name.
        panel: makes the one-click edits.
        folder: where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seen: dict[str, int] = {}
    for index, item in enumerate(workshop.items):
        task = str(item.task)
        if seen.get(task, 0) >= EACH:
            continue
        seen[task] = seen.get(task, 0) + 1
        visit = Visit(model=model)
        acts.open_example(visit, workshop, index)
        base = visit.baseline
        assert base is not None
        for name in reversed(EDITS):  # the first is made last, so that it is the one shown
            try:
                edit, title = one_click(name, visit, workshop, panel)
            except acts.GuiError:
                continue  # this model has nothing of the kind
            acts.apply(visit, workshop, base, [edit], title)
        for branch in list(visit.branches.values()):
            visit.shown = branch.trace.id
            for span, latents in enumerate(branch.trace.spans):
                for step in range(len(latents)):
                    read(visit, workshop, branch.trace, span, step)
        visit.past, visit.future = [], []
        path = folder / f"{model}-{len(seen)}-{task}.zscope"
        _with_trails(visit)
        save_visit(visit, path, model, workshop.engine.family.name)
        yield path


def _with_trails(visit: Visit) -> None:
    """Where each latent points is known before the file is written."""
    from gui.pointing import trail_of

    for branch in visit.branches.values():
        for span in range(len(branch.trace.spans)):
            trail_of(visit, branch.trace, span)
