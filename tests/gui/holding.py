"""The stand-in engine with a real store of runs: what is forgotten cannot be branched from."""

from __future__ import annotations

import threading

from core.engine.store import Held, Store
from tests.gui.fake_engine import FakeEngine


class HoldingEngine(FakeEngine):
    """Counts who computes at the same time, and holds runs as the engine does."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self.store = Store()
        self.alone = threading.Lock()
        self.at_once = 0
        self.steps = 0

    def stream(self, image, question, **settings):
        inner, sent = super().stream(image, question, **settings), None
        try:
            while True:
                free = self.alone.acquire(blocking=False)
                self.at_once += not free
                self.steps += 1
                try:
                    step = inner.send(sent)
                finally:
                    if free:
                        self.alone.release()
                if step.trace is not None:
                    self.keep(step.trace)
                sent = yield step
        except StopIteration:
            return

    def branch(self, trace, edits, cancel=None):
        self.store.get(trace)
        self.steps += 1
        child = super().branch(trace, edits, cancel)
        return self.keep(child)

    def adopt(self, trace, image, ancestors=()):
        super().adopt(trace, image, ancestors)
        return self.keep(trace)

    def keep(self, trace):
        self.store.put(Held(trace, {}, 0, [], None))
        return trace
