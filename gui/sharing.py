"""Several visitors' wishes through the model together.

Visitors who have their turn at the same time each go their own way through the page's code, in
their own threads. Where they ask the model, they meet here: each wish becomes a row of one batch
that runs for as long as somebody has a wish (:mod:`core.engine.abreast`). One that comes while it
runs joins it, within a step; scores are read between two steps. Each is told apart by row and has
its own Stop.

Wishes go together only where that cannot change an answer: a batch computes the same in another
order, which 32-bit numbers forgive and 16-bit ones may not. Nor on a GPU that is lent for a call.
There, and where the line gives one turn at a time, the engine itself is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.engine import Step
    from core.records import Edit, Trace
    from gui.line import Line
    from gui.turns import Turns

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

    def asked(self) -> Any:
        """The wish as the engine takes it."""
        from core.engine.abreast import Change, Question

        return (Question if self.sort == "run" else Change)(*self.what, cancel=self.cancel)

    def tell(self, one: Any) -> None:
        """A step of a run, of which the one with the trace is its end; or what came of it."""
        if getattr(one, "trace", one) is not None:
            self.end(one)
            return
        self.told += 1
        self._news.put((False, one))

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
        together: how many wishes a person wants together; 0 leaves it to the numbers' precision.
    """

    def __init__(
        self, line: Line, lock: Turns, engine: Callable[[], Any], together: int = 0
    ) -> None:
        self._line, self._lock, self._engine, self._together = line, lock, engine, together
        self._waiting: list[_Wish] = []
        self._changed = threading.Lock()
        self._serving = False
        self.largest = 0  # wishes that went together at most

    def able(self) -> bool:
        """Whether wishes go together at this model."""
        passes = getattr(self._engine(), "passes", None)
        if passes is None or self._together == 1:
            return False  # nothing here computes: recorded runs, or a GPU lent for a call at a time
        import torch

        return self._together > 1 or passes.embedding.weight.dtype == torch.float32

    def several(self) -> bool:
        """Whether others may have their turn as well, so that wishes are to be handed in here."""
        return self._line.together > 1 and self.able()

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
            if not self._serving:
                self._serving = True
                threading.Thread(target=self._serve, name="together", daemon=True).start()
        return wish

    def _serve(self) -> None:
        """Do what is handed in; ends when there is nothing more."""
        while True:
            with self._changed:
                if not self._waiting:
                    self._serving = False
                    return
            going: list[_Wish] = []
            with suppress(Exception):  # told to its asker below, where it happens again
                self._answer(going)
                continue
            self._alone(self._engine(), going or self._taken(lambda wish: True, 1))

    def _answer(self, going: list[_Wish]) -> None:
        """One batch, for as long as somebody has a wish.

        Args:
            going: whose wishes are in it; where it fails as a whole, they are left in there.
        """
        from core.engine.abreast import answers

        engine, of = self._engine(), dict[Any, _Wish]()

        def next_one() -> Any:
            found = self._taken(lambda wish: wish.sort != "score", 1)
            if not found:
                return None
            going.extend(found)
            self.largest = max(self.largest, len(going))
            asked = found[0].asked()
            of[asked] = found[0]
            return asked

        made = answers(engine, _Coming(next_one))
        while True:
            self._score(engine)
            with self._lock:  # for a step at a time: who has a turn may need the engine besides
                told = next(made, None)
            if told is None:
                return
            for asked, one in told:
                of[asked].tell(one)
                if of[asked].ended:
                    going.remove(of.pop(asked))

    def _score(self, engine: Any) -> None:
        """Score the runs that wait for it, between two steps of the batch."""
        if not any(wish.sort == "score" for wish in self._waiting):
            return
        with self._lock:
            part = self._taken(lambda wish: wish.sort == "score", len(self._waiting))
            self.largest = max(self.largest, len(part))
            if len(part) > 1:
                from core.engine.together import scores

                with suppress(Exception):
                    found = scores(engine, [wish.what for wish in part])
                    for wish, one in zip(part, found, strict=True):
                        wish.end(one)
        self._alone(engine, part)

    def _alone(self, engine: Any, part: Sequence[_Wish]) -> None:
        """Each by itself, so that none spoils the others'; those that have ended are done."""
        for wish in (w for w in part if not w.ended):
            try:
                with self._lock:
                    wish.end(ALONE[wish.sort](engine, wish))
            except Exception as error:
                wish.end(error)

    def _taken(self, which: Callable[[_Wish], bool], most: int) -> list[_Wish]:
        """The first of those that wait and are such, taken out of the line."""
        with self._changed:
            taken = [wish for wish in self._waiting if which(wish)][:most]
            self._waiting = [wish for wish in self._waiting if wish not in taken]
        return taken


class _Coming:
    """An iterator that has nobody now and may have somebody later."""

    def __init__(self, next_one: Callable[[], Any]) -> None:
        self._next_one = next_one

    def __iter__(self) -> _Coming:
        return self

    def __next__(self) -> Any:
        found = self._next_one()
        if found is None:
            raise StopIteration
        return found


def _run_alone(engine: Any, wish: _Wish) -> Any:
    image, question, settings = wish.what
    known = wish.told  # steps of a batch that failed; they come again, and are known
    last: Any = None
    for number, step in enumerate(engine.stream(image, question, cancel=wish.cancel, **settings)):
        last = step
        if number >= known and step.trace is None:
            wish.tell(step)
    return last  # which carries the trace


ALONE: dict[str, Callable[[Any, _Wish], Any]] = {
    "run": _run_alone,
    "branch": lambda engine, wish: engine.branch(*wish.what, cancel=wish.cancel),
    "score": lambda engine, wish: engine.score(*wish.what),
}
