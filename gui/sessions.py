"""Sessions of the page: kept by themselves, saved to a file, and opened again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gui.autosave import Autosave
from gui.folders import Folder
from gui.keeping import fill_visit, pictures, save_visit
from gui.shelf import DEMOS, Shelf

if TYPE_CHECKING:
    from core.records import Trace
    from core.records.archive import Session
    from gui.visits import Visit
    from gui.workshop import Workshop

AT_ONCE = 2  # runs made known to the model before the screen is drawn; the others follow


class Sessions:
    """Ties visits to their files.

    Args:
        shelf: the models.
        autosave: where sessions are kept by themselves.
    """

    def __init__(self, shelf: Shelf, autosave: Autosave) -> None:
        self.shelf, self.autosave = shelf, autosave

    def begin(self, key: str, visit: Visit, link: str = "", name: str = "") -> str:
        """Keep this visit from now on; the session's name, "" when nothing is kept."""
        visit.beside["link"] = link
        return self.autosave.begin(key, visit, self._writer(visit), name)

    def _writer(self, visit: Visit) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            self.save(visit, path)

        return write

    def save(self, visit: Visit, path: Path) -> None:
        """Write the visit to ``path``, in one step.

        Raises:
            core.errors.RecordError: one sentence.
        """
        engine = self.shelf.of(visit.model).engine
        family = engine.family.name if engine is not None else ""
        name = str(visit.beside.get("made with") or visit.model or self.shelf.name)
        save_visit(visit, path, name, family, str(visit.beside.get("link", "")))

    def download(self, visit: Visit) -> str:
        """A fresh ``.zscope`` file to download; an earlier one of this visit is gone then.

        Raises:
            GuiError: when there is nothing to save; core.errors.RecordError.
        """
        from gui.acts import GuiError

        if not visit.branches:
            raise GuiError("There is nothing to save yet; run a question first.")
        folder = Folder(served=True)
        path = folder.path / "session.zscope"
        self.save(visit, path)
        visit.beside["download"] = folder
        return str(path)

    def room(self, session: Session) -> tuple[str, Workshop]:
        """Which model a session's runs belong to: its name here, and its workshop.

        A shipped model is loaded for it. Another one is taken when it is loaded already; a file
        never makes the page load something.
        """
        name = session.meta.get("model")
        name = name if isinstance(name, str) else ""
        if not name and session.traces:
            name = Path(session.traces[0].model).name
        rooms = self.shelf.loaded()
        if name in rooms and not rooms[name].failure:
            return name, rooms[name]
        if name in DEMOS and self.shelf.models[name].here:
            return name, self.shelf.open(self.shelf.models[name])
        return self.recorded(session)

    def recorded(self, session: Session) -> tuple[str, Workshop]:
        """What a session without its model is shown with; one for each family, not each file."""
        from core import families
        from gui.recorded import recorded_workshop

        family = session.traces[0].family if session.traces else ""
        family = family if family in families.names() else ""
        label = f"recorded:{family}"
        return label, self.shelf.stand_in(
            label, lambda: recorded_workshop("recorded runs", family, self.shelf.first)
        )

    def recordings(self) -> tuple[str, Workshop] | None:
        """The recorded runs that come with Zscope, for a page without a model; None without."""
        from gui.recordings import RecordedRoom

        room = self.shelf.stand_in("recordings", lambda: RecordedRoom(self.shelf.first))
        return ("recordings", room) if len(room) else None  # type: ignore[arg-type]

    def show(self, visit: Visit, session: Session, workshop: Workshop, fresh: bool) -> None:
        """Put a session on a visit's screen and make its runs known to the model.

        Raises:
            core.errors.RecordError: when it holds no run.
        """
        fill_visit(visit, session, fresh)
        order = [i for i in (visit.base, visit.shown) if i]
        order = list(dict.fromkeys([*order, *visit.branches]))
        visit.beside["unheld"] = visit.beside["made with"] = ""
        if getattr(workshop.engine, "recorded", False):
            visit.beside["made with"] = str(session.meta.get("model", ""))[:200]
            visit.say = "Recorded runs: to look at. Load their model to ask or edit."
            return
        traces = {i: visit.branches[i].trace for i in order}
        images = pictures(visit).by_hash
        self._adopt(visit, workshop, traces, images, order[:AT_ONCE])
        base = visit.baseline
        if base is not None and base.spans and base.prompt.grid[0] and not visit.beside["unheld"]:
            with workshop.lock:
                visit.patches = workshop.engine.patches(base)
        rest = order[AT_ONCE:]
        if rest and not visit.beside["unheld"]:
            thread = threading.Thread(
                target=self._adopt,
                args=(visit, workshop, traces, images, rest),
                name="adopting",
                daemon=True,
            )
            visit.beside["adopting"] = thread
            thread.start()

    def _adopt(
        self,
        visit: Visit,
        workshop: Workshop,
        traces: dict[str, Trace],
        images: dict[str, Any],
        ids: list[str],
    ) -> None:
        """Replay runs so that they can be branched from; one that differs stays to be looked at."""
        from core.errors import ZscopeError

        for id in ids:
            trace = traces[id]
            image = images.get(trace.prompt.image_hash) or (
                visit.image if len(images) == 1 else None
            )
            try:
                with workshop.lock:
                    workshop.engine.adopt(trace, image, tuple(traces.values()))
            except ZscopeError as error:
                visit.beside["unheld"] = str(error)
                visit.say, visit.trouble = f"These runs can be looked at, not edited: {error}", True
                return


def wait_for_runs(visit: Visit) -> None:
    """Until the runs of an opened session are known to the model."""
    thread = visit.beside.pop("adopting", None)
    if thread is not None:
        thread.join()
