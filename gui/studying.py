"""One visitor's study at work: a thread of its own, a private folder, a picture for the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gui.bounds import OutOfBounds
from gui.desk import sentence_of
from gui.folders import Folder
from gui.line import Line, Ticket

if TYPE_CHECKING:
    from core.study import Items, Progress, Study
    from core.study.design import Design

LOOK_EVERY = 2.5  # seconds between two pictures of the effects so far
BREATH = 0.02  # seconds after each batch in which others get at the model
READING = "reading what was found"  # the stage that asks the model nothing
OUTPUTS = ("results.csv", "results.parquet", "effects.csv", "verdict.json", "report.html")


class Studying:
    """A study that runs beside the page.

    Args:
        engine: the model, shared with everybody on the page.
        load: gives the items.
        design: of the study.
        folder: where its rows are; they are taken up again.
        wanted: False once nobody looks any more, which stops it.
        turn: held while a study is at work, so that one runs at a time.
        line: where people wait for this model; the study has its place there and lets whoever
            waits go first after each batch. None where nobody else uses the model.
        who: whose study it is, to the line.

    Attributes:
        stage: what it is doing, in words.
        progress: how far the rows are, None before the first.
        study: what was found so far, or in the end.
        version: counts up whenever ``study`` is another.
        sentence, trouble: what to tell when it has ended, and whether it is a failure.
        files: what can be taken along, in the end.
    """

    def __init__(
        self,
        engine: Any,
        load: Callable[[], Items],
        design: Design,
        folder: Path,
        wanted: Callable[[], bool],
        turn: threading.Lock,
        line: Line | None = None,
        who: str | None = None,
    ) -> None:
        self._engine, self._load, self._design = engine, load, design
        self._folder, self._wanted, self._turn = folder, wanted, turn
        self._line, self._who = Line() if line is None else line, who
        self._ticket: Ticket | None = None
        self._looked = 0.0
        self._items: Items | None = None
        self._keys: Any = None
        self._taken: Folder | None = None
        self.cancel = threading.Event()
        self.stage = "reading the data"
        self.progress: Progress | None = None
        self.study: Study | None = None
        self.body: tuple[str, ...] = ()
        self.version = 0
        self.sentence, self.trouble = "", False
        self.files: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._work, name="study", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, or go on where the folder's rows end."""
        self._thread.start()

    def stop(self) -> None:
        """Stop within one step of the model; finished rows are kept."""
        self.cancel.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait until it has ended."""
        self._thread.join(seconds)

    def _work(self) -> None:
        from core.errors import Cancelled

        try:
            items = self._items = self._load()
            if not self._turn.acquire(blocking=False):
                self.stage = "waiting for another study to end"
                while not self._turn.acquire(timeout=0.5):
                    if self.cancel.is_set() or not self._wanted():
                        raise Cancelled("The study was stopped before it began.")
            try:
                self._study(items)
            finally:
                self._turn.release()
        except Cancelled as error:
            self._stopped(str(error))
        except Exception as error:  # the page must say it, whatever it is
            self.sentence, self.trouble = sentence_of(error), True

    def _study(self, items: Items) -> None:
        from core import study
        from core.errors import Cancelled

        with self._line.join(self._who, self.cancel) as self._ticket:
            try:
                self._stand(self._ticket.waiting())
            except OutOfBounds as error:
                raise Cancelled("The study was stopped before it began.") from error
            found = study.run(
                self._engine, items, self._design, self._folder, self._report, self.cancel,
                stage=self._tell,
            )  # fmt: skip
        self._show(found)
        skipped = f" {len(found.problems)} rows or items could not be used." * bool(found.problems)
        self.sentence = f"The study is done: {found.verdict.verdict}.{skipped}"

    def _stand(self, waiting: Iterator[str]) -> None:
        """Wait in the line, saying so."""
        stage = self.stage
        for sentence in waiting:
            self.stage = sentence[0].lower() + sentence[1:].rstrip(".")
            if not self._wanted():
                self.cancel.set()
        self.stage = stage

    def _stopped(self, sentence: str) -> None:
        """The rows there are, read as they are, with a warning."""
        from core import study

        self.sentence = sentence
        if self._items is None or self.progress is None or not self.progress.done:
            return
        try:
            self._show(study.read(self._engine, self._items, self._design, self._folder))
        except Exception as error:
            self.sentence, self.trouble = sentence_of(error), True
            return
        self.sentence = (
            f"Stopped after {self.progress.done} of {self.progress.total} rows; Start goes on "
            "where it stopped. To stop because of what was seen makes every interval too narrow."
        )

    def _show(self, found: Study) -> None:
        """The end of it: the files, and everything the page shows."""
        from core.study.report import body, write_all

        self.stage = "writing the report"
        write_all(found, self._folder, rerun=self.command())
        self.body = tuple(body(found, self._folder))
        # a place the page may take them from, whatever folder the study lives in
        taken = Folder()
        files = []
        for name in OUTPUTS:
            (taken.path / name).write_bytes((self._folder / name).read_bytes())
            files.append(str(taken.path / name))
        self._taken = taken
        self.files = tuple(files)
        self.study = found
        self.version += 1

    def command(self) -> list[str]:
        """The command line that makes this study again, as far as the page knows it."""
        design, items = self._design, self._items
        margins = design.margins
        return [
            "python", "launch.py", "study", "--model", str(self._engine.name),
            "--preset", design.preset, "--items", str(len(items or ())),
            "--block", str(design.block),
            "--margin-accuracy", f"{margins.accuracy:g}", "--margin-flips", f"{margins.flips:g}",
            "--margin-logit", f"{margins.logit:g}", "--data", self.data,
        ]  # fmt: skip

    data = "scenes"
    """What ``--data`` is to be; set by whoever knows."""

    def _tell(self, stage: str) -> None:
        self.stage = stage
        if self._ticket is not None:
            if stage == READING:  # of numbers: the model is free
                self._ticket.line.leave(self._ticket)
            else:
                self._stand(self._ticket.let_others())
        if stage == "asking the model":
            from core.study.runner import keys_of

            self._keys = keys_of(self._engine, self._design)

    def _report(self, progress: Progress) -> None:
        self.progress = progress
        if not self._wanted():
            self.cancel.set()
        now = time.monotonic()
        if progress.made and self._keys is not None and now - self._looked > LOOK_EVERY:
            from core import study

            assert self._items is not None
            self.study = study.glance(
                self._engine, self._items, self._design, self._folder, self._keys
            )
            self.version += 1
            # a look takes longer the more rows there are; it never takes more than a tenth
            self._looked = max(time.monotonic(), now + 10 * (time.monotonic() - now) - LOOK_EVERY)
        time.sleep(BREATH)
        if self._ticket is not None:
            self._stand(self._ticket.let_others())
