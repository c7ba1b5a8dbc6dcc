"""The line for a model, in the order of coming, each told how long it takes.

A turn is one wish of one visitor: a run, a branch, a comparison. Where wishes can go through the
model together (:mod:`gui.sharing`), neighbours in the line have their turn at the same time, also
who comes while others have theirs; nobody is overtaken for it. Work that takes long (a sweep, a
study, a bank) has its turn alone, takes it in parts and lets those who wait go first between two.
The line holds no thread that waits in the background and no clock but the monotonic one, so that a
clock that is set back leaves nobody waiting.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Hashable, Iterator
from types import TracebackType

from gui.bounds import OutOfBounds

EACH = 3  # places in the line for one visitor
TELL = 0.5  # seconds between two looks at the position
RECENT = 16  # turns the estimate is taken from


class Line:
    """Those who wait for one model, and the one whose turn it is.

    Args:
        most: people who may wait, beside the one whose turn it is.
        together: most wishes that have their turn at the same time.
    """

    def __init__(self, most: int = 32, together: int = 1) -> None:
        self.most, self.together = most, together
        self._tickets: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._took: deque[float] = deque(maxlen=RECENT)

    def __len__(self) -> int:
        return len(self._tickets)

    def join(
        self,
        who: str | None = None,
        cancel: threading.Event | None = None,
        beside: Hashable | None = None,
    ) -> Ticket:
        """A place at the end of the line.

        Args:
            who: the visitor, who may hold a few places; None is not counted.
            cancel: gives the place up when set, within a moment.
            beside: equal for wishes that can have their turn at the same time; None for one that
                is served alone.

        Raises:
            OutOfBounds: the line is full, or this visitor stands in it often enough.
        """
        with self._changed:
            if len(self._tickets) > self.most:
                raise OutOfBounds(
                    f"{len(self._tickets)} people are in line for this model and no more fit; "
                    f"try again in about {_time(self._estimate(len(self._tickets)))}."
                )
            if who is not None and sum(t.who == who for t in self._tickets) >= EACH:
                raise OutOfBounds("You are in line for this model already; wait for your answer.")
            ticket = Ticket(self, who, cancel or threading.Event(), beside)
            self._tickets.append(ticket)
            self._begin()
            return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give a place up, or end a turn; the next one begins."""
        with self._changed:
            if ticket not in self._tickets:
                return
            if ticket.began is not None:
                self._took.append(time.monotonic() - ticket.began)
            self._tickets.remove(ticket)
            self._begin()
            self._changed.notify_all()

    def step_back(self, ticket: Ticket) -> bool:
        """From the turn to the end of the line, where somebody waits; whether it was so.

        Nobody is refused here: the place was given when the line was joined.
        """
        with self._changed:
            if len(self._tickets) < 2 or self._tickets[0] is not ticket:
                return False
            self._took.append(time.monotonic() - ticket.began)
            ticket.began = None
            self._tickets.remove(ticket)
            self._tickets.append(ticket)
            self._begin()
            self._changed.notify_all()
            return True

    def serving(self) -> int:
        """How many have their turn now."""
        with self._changed:
            return self._served()

    def ahead(self, ticket: Ticket) -> int:
        """How many are served before this one."""
        with self._changed:
            return self._tickets.index(ticket) if ticket in self._tickets else 0

    def estimate(self, ticket: Ticket) -> float:
        """Seconds until this one's turn, from how long the last turns took."""
        with self._changed:
            place = self._tickets.index(ticket) if ticket in self._tickets else 0
            return self._estimate(place)

    def wait(self, ticket: Ticket, seconds: float) -> bool:
        """Up to ``seconds``, until it is this one's turn; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: ticket.began is not None, seconds)

    def _served(self) -> int:
        return sum(ticket.began is not None for ticket in self._tickets)

    def _begin(self) -> None:
        """Give the turn to the first and to those who can go beside, where they have it not yet."""
        if self._tickets:
            now = time.monotonic()
            for ticket in list(self._tickets)[: self._beside(0)]:
                ticket.began = now if ticket.began is None else ticket.began

    def _beside(self, place: int) -> int:
        """How many have their turn together when the one at ``place`` has it."""
        first = self._tickets[place]
        if first.beside is None:
            return 1
        known, count = {first.who} - {None}, 1
        for ticket in list(self._tickets)[place + 1 : place + self.together]:
            if ticket.beside != first.beside or ticket.who in known:
                break  # nobody is overtaken, and nobody's two wishes are done at once
            known |= {ticket.who} - {None}
            count += 1
        return count

    def _estimate(self, place: int) -> float:
        served = self._served()
        if place < max(served, 1):
            return 0.0
        turn = sum(self._took) / len(self._took) if self._took else 0.0
        first = self._tickets[0]
        gone = time.monotonic() - first.began if first.began is not None else 0.0
        turns, at = 0, max(served, 1)
        while at < place and at + self._beside(at) <= place:
            turns, at = turns + 1, at + self._beside(at)
        return max(turn - gone, 0.0) + turn * turns


class Ticket:
    """A place in the line; as a context manager it is given up at the end, come what may.

    Attributes:
        who: whose it is.
        beside: see :meth:`Line.join`.
        began: monotonic time at which its turn began, None before.
    """

    def __init__(
        self,
        line: Line,
        who: str | None,
        cancel: threading.Event,
        beside: Hashable | None = None,
    ) -> None:
        self.line, self.who, self.cancel, self.beside = line, who, cancel, beside
        self.began: float | None = None

    def __enter__(self) -> Ticket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.line.leave(self)

    def waiting(self) -> Iterator[str]:
        """Wait for the turn, saying now and then how it stands.

        Raises:
            OutOfBounds: it was stopped before its turn came.
        """
        told = ""
        while not self.line.wait(self, 0.0):
            if self.cancel.is_set():
                self.line.leave(self)
                raise OutOfBounds("Stopped while waiting in line; nothing was run.")
            sentence = self.sentence()
            if sentence != told:
                told = sentence
                yield sentence
            self.line.wait(self, TELL)

    def let_others(self) -> Iterator[str]:
        """Between two parts of long work: those who wait are served first, then it goes on.

        Ends early when the work is stopped; it then has no turn, and must not go on.
        """
        if self.line.step_back(self):
            try:
                yield from self.waiting()
            except OutOfBounds:
                return  # the work itself says that it was stopped

    def take(self) -> None:
        """Wait for the turn without a word."""
        for _ in self.waiting():
            pass

    def sentence(self) -> str:
        """Position and estimate."""
        ahead, seconds = self.line.ahead(self), self.line.estimate(self)
        people = "1 person is" if ahead == 1 else f"{ahead} people are"
        about = f", about {_time(seconds)}" if seconds >= 1 else ""
        return f"Waiting for the model: {people} before you{about}."


def _time(seconds: float) -> str:
    if seconds < 5:
        return "a few seconds"
    if seconds < 55:
        return f"{5 * round(seconds / 5):.0f} seconds"
    minutes = max(1, round(seconds / 60))
    return "a minute" if minutes == 1 else f"{minutes} minutes"
