"""From what the Study tab was told to a study that can be started: its data, design and folder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gui.acts import GuiError
from gui.bounds import OutOfBounds
from gui.folders import Folder
from gui.study_data import PLACE, SCENES, items_of
from gui.studying import Studying

if TYPE_CHECKING:
    from core.study.design import Design
    from gui.visits import Visit
    from gui.workshop import Workshop

BLOCK = 8  # items a batch: others get at the model between two of them
TASKS = ("attribute", "relative", "where", "count", "plan")


@dataclass(frozen=True)
class Data:
    """What is to be studied.

    Attributes:
        source: :data:`SCENES`, :data:`PLACE` or an upload.
        upload: path of the uploaded file.
        place: file or folder of this machine.
        count: the most items.
        tasks: of the shipped scenes; none are all.
    """

    source: str
    upload: str | None
    place: str
    count: int
    tasks: list[str]

    @property
    def said(self) -> str:
        """What ``--data`` is to be on a command line."""
        named = "" if set(self.tasks or TASKS) == set(TASKS) else ":" + ",".join(self.tasks)
        return {SCENES: f"scenes{named}", PLACE: self.place}.get(self.source, "YOUR-FILE")


def count_of(count: float | None, most: int) -> int:
    """The number of items asked for.

    Raises:
        OutOfBounds: it is above ``most``.
    """
    wanted = max(1, int(count or 1))
    if wanted > most:
        raise OutOfBounds(
            f"You asked for {wanted:,} items; at most {most:,} are studied here, so ask for fewer."
        )
    return wanted


def declared(
    room: Workshop, preset: str, accuracy: float, flips: float, logit: float, force: bool
) -> Design:
    """The design with its margins, given in points, percent and nats.

    Raises:
        GuiError: the model cannot be studied, or a margin is missing.
    """
    if not room.ready:
        raise GuiError(room.failure or "The model is not ready yet; try again in a moment.")
    from core import study
    from core.engine import Engine

    if not isinstance(room.engine, Engine):  # recorded runs, or a model lent for each call
        raise GuiError(
            "A study asks the model itself, which is not loaded on this machine; run Zscope "
            "yourself, or choose a demo model."
        )
    if None in (accuracy, flips, logit):
        raise GuiError("Declare all three margins before the run.")
    margins = study.Margins(float(accuracy) / 100, float(flips) / 100, float(logit))
    return study.design_of(
        preset, room.engine, block=BLOCK, margins=margins, force_latents=bool(force)
    )


def work_on(
    room: Workshop,
    visit: Visit,
    key: str,
    data: Data,
    design: Design,
    keep: str,
    wanted: Callable[[], bool],
    turn: threading.Lock,
) -> Studying:
    """The study, ready to be started.

    Args:
        room: of the model.
        visit, key: whose it is.
        keep: a folder of this machine where it lives; "" for the visit's own.
        wanted: False once nobody looks any more.
        turn: held while a study is at work.
    """
    own: Folder = visit.beside.setdefault("study-folder", Folder())  # nobody else knows its name
    folder = Path(keep.strip()).expanduser() if keep.strip() else own.path
    job = Studying(
        room.engine,
        lambda: items_of(
            data.source, data.upload, data.place, data.count, list(data.tasks or ()), own.path
        ),
        design,
        folder,
        wanted,
        turn,
        room.line,
        key,
    )
    job.data = data.said
    return job
