"""Several visitors' wishes through the model together.

Visitors whose turns the line gives at the same moment each go their own way through the page's
code, in their own threads. Where they ask the model, they meet here: wishes of one sort that are
there at once become rows of one batch, told apart by row and each with its own Stop. Who has the
turn alone asks the engine itself, as if this were not here.

Wishes go together only where that cannot change an answer: a batch computes the same in another
order, which 32-bit numbers forgive and 16-bit ones may not. Nor on a GPU that is lent for a call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.engine import Step
    from core.records import Edit, Trace
    from gui.line import Line

GATHER = 0.03  # seconds for which those who have their turn are waited for
USUAL = 8  # wishes at once where 32-bit numbers are computed with


@dataclass(eq=False)
class _Wish:
    """What one visitor asks of the model, and what came of it."""

    sort: str
    what: tuple[Any, ...]
    cancel: threading.Event | None = None
    told: int = 0
    ended: bool = False
    _news: SimpleQueue[tuple[bool, Any]] = field(default_factory=SimpleQueue)

    def tell(self, step: Step) -> None:
        """A step of a run; the one with the trace is its end."""
        if step.trace is not None:
            self.end(step)
            return
        self.told += 1
        self._news.put((False, step))

    def end(self, made: Any) -> None:
        """What came of it, a result or an error; only the first counts."""
        if not self.ended:
            self.ended = True
            self._news.put((True, made))

    def news(self) -> Iterator[tuple[bool, Any]]:
        """(whether it is the end, what came), as it comes.

        Raises:
            Exception: the error that came of it.
        """
        ended = False
        while not ended:
            ended, made = self._news.get()
            if isinstance(made, BaseException):
                raise made
            yield ended, made

    def outcome(self) -> Any:
        """Wait for the end."""
        *_, (_, made) = self.news()
        return made


class Sharing:
    """The face of an engine for those who may not be alone with it.

    Args:
        line: gives the turns.
        lock: held by whoever uses the engine.
        engine: returns it.
    """

    def __init__(self, line: Line, lock: threading.Lock, engine: Callable[[], Any]) -> None:
        self._line, self._lock, self._engine = line, lock, engine
        self._waiting: list[_Wish] = []
        self._changed = threading.Condition()
        self._serving = False
        self.largest = 0  # wishes that went together at most

    def able(self, asked: int = 0) -> bool:
        """Whether wishes go together at this model.

        Args:
            asked: how many a person wants together; 0 leaves it to the numbers' precision.
        """
        passes = getattr(self._engine(), "passes", None)
        if passes is None or asked == 1:
            return False  # nothing here computes: recorded runs, or a GPU lent for a call at a time
        import torch

        return asked > 1 or passes.embedding.weight.dtype == torch.float32

    def several(self) -> bool:
        """Whether others have their turn as well, so that wishes are to be handed in here."""
        return self._line.serving() > 1 and getattr(self._engine(), "passes", None) is not None

    def stream(
        self, image: Any, question: str, *, cancel: threading.Event | None = None, **settings: Any
    ) -> Iterator[Step]:
        """As ``engine.stream``, but nothing can be sent in."""
        for _, step in self._hand_in("run", (image, question, settings), cancel).news():
            yield step

    def run(self, image: Any, question: str, **settings: Any) -> Trace:
        """As ``engine.run``, alone or with others."""
        if not self.several():
            with self._lock:
                trace: Trace = self._engine().run(image, question, **settings)
                return trace
        *_, last = self.stream(image, question, **settings)
        assert last.trace is not None
        return last.trace

    def branch(self, parent: Trace, edits: Sequence[Edit], cancel: Any = None) -> Trace:
        """As ``engine.branch``, alone or with others."""
        if not self.several():
            with self._lock:
                trace: Trace = self._engine().branch(parent, edits, cancel=cancel)
                return trace
        made: Trace = self._hand_in("branch", (parent, edits), cancel).outcome()
        return made

    def score(self, trace: Trace, options: Sequence[str]) -> dict[str, float]:
        """As ``engine.score``, alone or with others."""
        if not self.several():
            with self._lock:
                return dict(self._engine().score(trace, options))
        return dict(self._hand_in("score", (trace, options)).outcome())

    def _hand_in(self, sort: str, what: tuple[Any, ...], cancel: Any = None) -> _Wish:
        wish = _Wish(sort, what, cancel)
        with self._changed:
            self._waiting.append(wish)
            self._changed.notify_all()
            if not self._serving:
                self._serving = True
                threading.Thread(target=self._serve, name="together", daemon=True).start()
        return wish

    def _serve(self) -> None:
        """Do what was handed in, round by round; ends when there is nothing more."""
        while True:
            with self._changed:
                if not self._waiting:
                    self._serving = False
                    return
                self._changed.wait_for(
                    lambda: len(self._waiting) >= self._line.serving(), timeout=GATHER
                )
                sort = self._waiting[0].sort
                part = [wish for wish in self._waiting if wish.sort == sort]
                self._waiting = [wish for wish in self._waiting if wish.sort != sort]
            self.largest = max(self.largest, len(part))
            with self._lock:
                self._do(sort, part)

    def _do(self, sort: str, part: list[_Wish]) -> None:
        """A batch; where it fails as a whole, each alone, so that none spoils the others'."""
        engine = self._engine()
        try:
            if len(part) > 1:
                for wish, made in zip(part, DONE[sort](engine, part), strict=True):
                    wish.end(made)
                return
        except Exception:
            pass  # told to its asker below, where it happens again
        for wish in (w for w in part if not w.ended):
            try:
                wish.end(ALONE[sort](engine, wish))
            except Exception as error:
                wish.end(error)


def _runs(engine: Any, part: list[_Wish]) -> Sequence[Any]:
    from core.engine.abreast import Wish, runs

    return runs(engine, [Wish(*w.what, cancel=w.cancel, tell=w.tell) for w in part])


def _branches(engine: Any, part: list[_Wish]) -> Sequence[Any]:
    from core.engine.together import branches

    return branches(engine, [w.what for w in part], cancels=[w.cancel for w in part])


def _scores(engine: Any, part: list[_Wish]) -> Sequence[Any]:
    from core.engine.together import scores

    return scores(engine, [w.what for w in part])


def _run_alone(engine: Any, wish: _Wish) -> Any:
    image, question, settings = wish.what
    known = wish.told  # steps of a batch that failed; they come again, and are known
    last: Any = None
    for number, step in enumerate(engine.stream(image, question, cancel=wish.cancel, **settings)):
        last = step
        if number >= known and step.trace is None:
            wish.tell(step)
    return last  # which carries the trace


DONE = {"run": _runs, "branch": _branches, "score": _scores}
ALONE: dict[str, Callable[[Any, _Wish], Any]] = {
    "run": _run_alone,
    "branch": lambda engine, wish: engine.branch(*wish.what, cancel=wish.cancel),
    "score": lambda engine, wish: engine.score(*wish.what),
}
