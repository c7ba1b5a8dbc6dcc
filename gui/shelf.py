"""The models behind the page: which there are, which are loaded, and loading another one.

One :class:`~gui.workshop.Workshop` a model. A visitor goes on with the model they have until
the one they asked for is ready.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gui.bounds import Bounds
from gui.line import Line
from gui.sharing import USUAL
from gui.workshop import Workshop

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "assets" / "models"
RECENT = 8  # models used of late that are remembered

# What the shipped models are for, in the order they are offered.
DEMOS = {
    "faithful": "its latents carry the answer",
    "shortcut": "its latents are ignored",
    "words": "it imagines in a sentence",
    "slot": "its latents' slots carry the answer",
    "region": "its latents are pieces of the picture",
    "direct": "it does not imagine",
}


@dataclass(frozen=True)
class Model:
    """A model somebody can choose.

    Attributes:
        name: what it goes by on the page: a shipped model's own name, else its source.
        source: folder or hub id.
        family: name of its family; None detects it.
        about: a few words for the list.
    """

    name: str
    source: str
    family: str | None = None
    about: str = ""

    @property
    def here(self) -> bool:
        """Whether its folder is there; a hub id may always be."""
        folder = Path(self.source).expanduser()
        if self.name in DEMOS:
            return (folder / "config.json").is_file()
        return folder.is_dir() or not folder.is_absolute()

    @property
    def demo_here(self) -> bool:
        """Whether it is a shipped model, and there."""
        return self.name in DEMOS and self.here


class Shelf:
    """All models of the page.

    Args:
        first: the model the page opens with.
        load: makes the engine of a model.
        gallery, kinds: make the examples and the edit kinds; None takes Zscope's own.
        shipped: folder of the shipped models.
        recent: file that remembers models used of late; None remembers none.
        waiting: people who may wait in line; there is one line, as there is one device.
        together: wishes that may go through a model at once; 0 leaves it to the model.
    """

    def __init__(
        self,
        first: Model,
        load: Callable[[Model], Any],
        gallery: Callable[[], Sequence[Any]] | None = None,
        kinds: Callable[[], Sequence[Any]] | None = None,
        shipped: Path = SHIPPED,
        recent: Path | None = None,
        waiting: int = Bounds.waiting,
        together: int = Bounds.together,
    ) -> None:
        self.line, self._together = Line(waiting, together or USUAL), together
        self._load, self._kinds, self._make_gallery = load, kinds, gallery
        self._recent = recent
        self._lock = threading.Lock()
        self._rooms: dict[str, Workshop] = {}
        self.shipped = shipped
        self.recorded = shipped.parent / "recorded"
        self.demos = tuple(DEMOS)
        self.models = {name: self.demo(name) for name in DEMOS}
        self.models[first.name] = first
        for model in self._remembered():
            self.models.setdefault(model.name, model)
        self.name = first.name
        self.first = self._make(first)
        self._rooms[first.name] = self.first

    def demo(self, name: str) -> Model:
        """The shipped model called ``name``, whether it is there or not."""
        return Model(name, str(self.shipped / name), None, DEMOS[name])

    @cached_property
    def gallery(self) -> Sequence[Any]:
        """The examples, made once for all models."""
        if self._make_gallery is not None:
            return tuple(self._make_gallery())
        from core.scenes import gallery

        return tuple(gallery())

    def _make(self, model: Model) -> Workshop:
        recorded = sorted(self.recorded.glob(f"{Path(model.source).name}-*.zscope"))
        return Workshop(
            lambda: self._load(model), lambda: self.gallery, self._kinds, self.line, recorded,
            self._together,
        )  # fmt: skip

    def of(self, name: str | None) -> Workshop:
        """The workshop of a visit's model, by its name."""
        return self._rooms.get(name or self.name, self.first)

    def stand_in(self, name: str, make: Callable[[], Workshop]) -> Workshop:
        """The workshop of recorded runs called ``name``, made where there is none yet."""
        with self._lock:
            if name not in self._rooms:
                self._rooms[name] = make()
            return self._rooms[name]

    def loaded(self) -> dict[str, Workshop]:
        """Models that are loaded or on their way."""
        return dict(self._rooms)

    def open(self, model: Model) -> Workshop:
        """The model's workshop, its loading begun where it had not; see ``Workshop.done``."""
        with self._lock:
            self.models[model.name] = model
            room = self._rooms.get(model.name)
            if room is None or room.failure:
                room = self._rooms[model.name] = self._make(model)
        room.start()
        return room

    def get(self, name: str) -> Workshop:
        """A demo model's workshop, loaded and ready.

        Raises:
            core.errors.CheckpointError: it is not there, or cannot be loaded; one sentence.
        """
        from core.errors import CheckpointError

        model = self.models[name]
        if name not in self._rooms and not model.here:
            raise CheckpointError(missing(name))
        room = self.open(model)
        room.done.wait()
        if not room.ready:
            raise CheckpointError(room.failure)
        return room

    def put_away(self, name: str) -> bool:
        """Unload a model; the one the page opened with stays."""
        with self._lock:
            if name == self.name or name not in self._rooms:
                return False
            room = self._rooms.pop(name)
        with room.lock:
            if room.engine is not None:
                room.engine = None
        return True

    def used(self, model: Model) -> None:
        """Remember a model that is not shipped, for the next time."""
        if self._recent is None or model.name in DEMOS:
            return
        kept = [m for m in self._remembered() if m.name != model.name]
        rows = [{"source": m.source, "family": m.family} for m in [model, *kept][:RECENT]]
        from core.records.atomic import replacing

        try:
            self._recent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with replacing(self._recent) as file:
                file.write(json.dumps(rows, indent=1).encode())
        except OSError:
            return  # a full or read-only disk: it is not remembered, and nothing else is lost

    def _remembered(self) -> list[Model]:
        if self._recent is None or not self._recent.is_file():
            return []
        try:
            rows = json.loads(self._recent.read_text(encoding="utf-8"))
            return [Model(r["source"], r["source"], r["family"], "used before") for r in rows]
        except (OSError, ValueError, TypeError, KeyError):
            return []


def missing(name: str) -> str:
    """What to do about a shipped model that is not there, in one sentence."""
    return (
        f"The demo model “{name}” is not in assets/models; make it with "
        f"`python launch.py train {name}`."
    )
