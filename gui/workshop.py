"""The model behind the page: loaded in the background, lent to one visitor at a time."""

from __future__ import annotations

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from gui.errors import GuiError
from gui.line import Line
from gui.sharing import Sharing
from gui.turns import Turns

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image
    from torch import Tensor

    from core.records import Trace

KEPT = 64  # runs of examples that are remembered
LOADING = "loading the model"  # torch is there by then, and runs out of files can be shown
BACKGROUND = 300  # most latents in the map's background


class Workshop:
    """Holds the engine, the examples and the edit kinds once they are there.

    Args:
        load: makes the engine; called once, in the warm-up thread.
        gallery: makes the example items; None takes ``core.scenes.gallery``.
        kinds: makes the edit kinds; None takes ``core.edits.kinds``.
        line: where people wait for this model; None makes one of its own.
        recorded: ``.zscope`` files of the examples' runs, for a model that is not asked before
            a visitor wants it (:mod:`gui.lent`).
        together: wishes that may go through the model at once; 0 leaves it to the model.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        gallery: Callable[[], Sequence[Any]] | None = None,
        kinds: Callable[[], Sequence[Any]] | None = None,
        line: Line | None = None,
        recorded: Sequence[Path] = (),
        together: int = 0,
    ) -> None:
        self._load, self._gallery, self._kinds = load, gallery, kinds
        self._started = threading.Lock()
        self._thread: threading.Thread | None = None
        self._runs: OrderedDict[int, Trace] = OrderedDict()
        self.lock = Turns()
        self.line = Line() if line is None else line  # an empty one is false
        self.sharing = Sharing(self.line, self.lock, lambda: self.engine, together)
        self._recorded = recorded
        self.done = threading.Event()
        self.engine: Any = None
        self.items: Sequence[Any] = ()
        self.thumbnails: list[tuple[str, str, str]] = []
        self.kinds: tuple[Any, ...] = ()
        self.stage = "starting"
        self.failure = ""
        self.seconds = 0.0
        self.background_name = "other examples"

    @property
    def ready(self) -> bool:
        """Whether a model is there to be asked."""
        return self.done.is_set() and self.engine is not None

    @property
    def titles(self) -> dict[str, str]:
        """Edit kind → title."""
        return {kind.name: kind.title for kind in self.kinds}

    def kind(self, name: str) -> Any:
        """The edit kind called ``name``.

        Raises:
            GuiError: when there is none.
        """
        found = next((k for k in self.kinds if k.name == name), None)
        if found is None:
            raise GuiError(f"There is no edit “{name}”; choose one of the list.")
        return found

    @property
    def beside(self) -> Sharing | None:
        """What wishes name in the line that can go through this model at once; None if none can."""
        return self.sharing if self.ready and self.sharing.able() else None

    def start(self) -> None:
        """Begin the warm-up in a thread, once."""
        with self._started:
            if self._thread is None:
                self._thread = threading.Thread(target=self.warm, name="warm-up", daemon=True)
                self._thread.start()

    def warm(self) -> None:
        """Load everything, then run the first example so that the page opens on an answer."""
        began = time.perf_counter()
        try:
            self.stage = "importing the model code"
            from core.errors import ZscopeError
        except Exception as error:  # the page must say it, whatever it is
            self._fail(f"Zscope could not be started ({type(error).__name__}: {error}).")
            return
        try:
            self.kinds = tuple(self._make_kinds())
            self.stage = LOADING
            engine = self._load()
            self.stage = "drawing the examples"
            self.items = tuple(self._make_gallery())
            self.thumbnails = [self._thumbnail(item) for item in self.items]
            self.engine = engine
            self.stage = "running the first example"
            if self.remote:
                self._take_recorded()
            elif self.items:
                self.example(0)
        except ZscopeError as error:
            self._fail(str(error))
        except Exception as error:
            traceback.print_exc()
            self._fail(
                f"The model could not be loaded ({type(error).__name__}); "
                "the terminal shows the details."
            )
        self.seconds = time.perf_counter() - began
        self.done.set()

    def example(self, index: int) -> Trace:
        """The run of example ``index``, from memory where it was asked before."""
        with self.lock:
            if index not in self._runs:
                item = self.items[index]
                self._runs[index] = self.engine.run(item.image, item.question)
                while len(self._runs) > KEPT:
                    self._runs.popitem(last=False)
            self._runs.move_to_end(index)
            return self._runs[index]

    @property
    def remote(self) -> bool:
        """Whether asking the model costs a visitor something, as on a GPU that is lent."""
        return bool(getattr(self.engine, "remote", False))

    def has(self, index: int) -> bool:
        """Whether example ``index`` can be shown without asking the model for more than usual."""
        return not self.remote or index in self._runs

    def _take_recorded(self) -> None:
        """The recorded runs of the examples; one that fits none is left out."""
        from core.records import load
        from core.records.picture import fingerprint

        sessions = [load(path) for path in self._recorded]
        traces = [trace for session in sessions for trace in session.traces if not trace.edits]
        runs = {(t.prompt.image_hash, t.prompt.question): t for t in traces}
        for index, item in enumerate(self.items):
            found = runs.get((fingerprint(item.image), str(item.question)))
            if found is not None and found.family == self.engine.family.name:
                self._runs[index] = self.engine.adopt(found, item.image)

    def recall(
        self, trace: Trace, image: Image.Image | None, ancestors: Sequence[Trace] = ()
    ) -> None:
        """Make a run the engine has forgotten known to it again; the caller holds the lock.

        Args:
            trace: a run of this model.
            image: the picture it was asked about.
            ancestors: the runs it came from.
        """
        store = getattr(self.engine, "store", None)
        if store is not None and store.by_id(trace.id) is None:
            self.engine.adopt(trace, image, ancestors)

    def let_go(self, ids: Collection[str], kept: Collection[str] = ()) -> set[str]:
        """Let the engine forget runs; those of ``ids`` that are still needed come back.

        Args:
            ids: runs nobody lists any more.
            kept: runs somebody lists, whose ancestors are needed to make them again.
        """
        store = getattr(self.engine, "store", None)
        if store is None:
            return set()
        needed = {run.id for run in list(self._runs.values())} | set(kept)
        for id in list(needed):
            held = store.by_id(id)
            while held is not None and held.trace.parent and held.trace.parent not in needed:
                needed.add(held.trace.parent)
                held = store.by_id(held.trace.parent)
        store.forget(*(set(ids) - needed))
        return set(ids) & needed

    def example_runs(self) -> list[tuple[int, Trace]]:
        """(index, run) of the examples run so far."""
        return sorted(self._runs.items(), key=lambda entry: entry[0])

    def example_of(self, id: str | None) -> int | None:
        """Index of the example whose run has this id; None when it is no example's."""
        return next((i for i, run in list(self._runs.items()) if run.id == id), None)

    def background(self, example: int | None) -> Tensor | None:
        """Clean latents (N, D) for the map's background, None while there are none.

        The bank's; without one those of the examples run so far, ``example`` left out.
        """
        import torch

        bank = getattr(self.engine, "bank", None)
        if bank is not None:
            self.background_name = "the bank"
            rows = bank.latents.flatten(0, 1)
            rows = rows[rows.isfinite().all(dim=1)]
            return rows[:: max(1, len(rows) // BACKGROUND)]
        runs = [run for index, run in list(self._runs.items()) if index != example]
        tables = [span.latents for run in runs for span in run.spans]
        return torch.cat(tables) if tables else None

    def _fail(self, sentence: str) -> None:
        self.engine = None
        self.failure = sentence
        self.done.set()

    def _make_kinds(self) -> Sequence[Any]:
        if self._kinds is not None:
            return self._kinds()
        from core.edits import kinds

        return kinds()

    def _make_gallery(self) -> Sequence[Any]:
        if self._gallery is not None:
            return self._gallery()
        from core.scenes import gallery

        return gallery()

    def _thumbnail(self, item: Any) -> tuple[str, str, str]:
        from gui.components.picture import data_uri

        return str(item.task), str(item.question), data_uri(item.image, 96)
