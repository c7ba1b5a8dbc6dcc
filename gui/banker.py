"""A bank built behind the page: from shipped scenes or a person's own items, with a Stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from gui.bounds import OutOfBounds

if TYPE_CHECKING:
    from core.study.items import Items
    from gui.line import Ticket
    from gui.workshop import Workshop

SCENES = "scenes"
MOST = 20_000  # items of one bank
BATCH = 8  # items asked at once: between two batches the page has the model


class Questions(Sequence[Any]):
    """The items' questions; a picture is opened when it is asked about."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> list[Any]: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return [(item.picture, item.question) for item in self._items[at]]
        return self._items[at].picture, self._items[at].question


def items_of(place: str, count: int) -> Items:
    """The items a bank is built from.

    Args:
        place: ``"scenes"`` for shipped scenes of the validation split, which no study asks;
            else what a study takes: a folder or a table of pictures and questions.
        count: the most items.

    Raises:
        core.errors.ZscopeError: there are none; one sentence.
    """
    from core.study.items import shipped
    from core.study.tables import load_items

    count = max(1, min(int(count), MOST))
    if place.strip().lower() in ("", SCENES):
        return shipped(count=count, split="validation")
    return load_items(place.strip(), count)


class Banker:
    """One model's bank, being built or not.

    Args:
        workshop: whose engine is asked and given the bank.
        own: the user's own folder of banks; None where nothing is kept there.
    """

    def __init__(self, workshop: Workshop, own: Path | None = None) -> None:
        self.workshop, self.own = workshop, own
        self.cancel = threading.Event()
        self.done, self.all = 0, 0
        self.began = 0.0
        self.said, self.trouble = "", False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ticket: Ticket | None = None

    @property
    def busy(self) -> bool:
        """Whether one is being built."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, place: str, count: int) -> None:
        """Begin, unless one is being built already."""
        with self._lock:
            if self.busy:
                return
            self.cancel = threading.Event()
            self.done = self.all = 0
            self.said, self.trouble = "", False
            self.began = time.monotonic()
            self._thread = threading.Thread(
                target=self._work, args=(place, count), name="bank", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop within one step of the model; the bank there was stays."""
        self.cancel.set()

    def wait(self, seconds: float) -> bool:
        """Up to ``seconds`` for the end; whether it has come."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.busy

    def progress(self) -> str:
        """How far it is, at which rate, and how long it will take."""
        if not self.all:
            return "Reading the items…"
        gone = time.monotonic() - self.began
        rate = self.done / gone if gone > 0 else 0.0
        line = f"{self.done} of {self.all} items"
        if not self.done:
            return f"{line}…"
        left = (self.all - self.done) / rate
        return f"{line}, {rate:.1f} a second, {_time(left)} left"

    def _tell(self, done: int, of: int) -> None:
        self.done, self.all = done, of
        if self._ticket is not None:
            for _ in self._ticket.let_others():
                pass

    def _work(self, place: str, count: int) -> None:
        from core.errors import Cancelled
        from gui.desk import sentence_of

        try:
            self.said = self._build(place, count)
        except Cancelled:
            self.said = "Stopped; the bank there was stays."
        except Exception as error:
            self.said, self.trouble = sentence_of(error), True

    def _build(self, place: str, count: int) -> str:
        from core.engine.bankfile import keep_bank
        from core.engine.banking import collect_bank
        from core.errors import Cancelled, RecordError
        from core.records.bank import BankItem

        engine = self.workshop.engine
        items = items_of(place, count)
        self.all = len(items)
        about = [BankItem(i.id, i.task, i.question, gold=i.answer) for i in items]
        source = f"{items.source}, greedy, {engine.choice.dtype_name}"
        with self.workshop.line.join(None, self.cancel) as self._ticket:
            try:
                self._ticket.take()
            except OutOfBounds as error:
                raise Cancelled("Stopped before it began.") from error
            bank = collect_bank(
                engine, Questions(items), source, self._tell, self.cancel, {}, about, BATCH
            )
        engine.bank = bank
        size = f"{len(bank.latents)} items × {bank.latents.shape[1]} latents"
        left = len(items) - len(bank.latents)
        silent = f"; {left} of {len(items)} gave none" if left else ""
        try:
            path = keep_bank(engine, bank, self.own)
        except RecordError as error:
            return f"{size}{silent}. {error}"
        where = "beside the model" if path.parent == Path(engine.name) else f"in {path.parent}"
        return f"Built: {size}{silent}; kept {where}."


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
