"""The engine on ZeroGPU hosting, where a GPU is lent for one call at a time.

The real engine is loaded once, before the page is served, with its weights where the hosting
takes them up (``spaces`` stands in for the device until a GPU is lent). Whatever computes goes
through one entry point that takes values and gives values (:mod:`core.engine.stateless`); what
the page keeps of its runs, their records and pictures, stays here on the CPU.

Demo models are small enough for the CPU and never come here, so that a visitor without any GPU
time can still do everything with them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from core.engine.stateless import BRANCHES, RUN, SCORE, Reply, Request, serve_plain
from core.engine.store import Held, Store
from core.errors import Cancelled, InputError
from gui.asking import STEPWISE

if TYPE_CHECKING:
    from PIL import Image

    from core.records import Edit, Trace

Lend = Callable[[Request], Iterator[Reply]]


def lent(engine: Any) -> Lend:
    """The entry point of an engine, decorated where the hosting's own package is present."""

    def zscope_on_gpu(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from serve_plain(engine, request)

    on_gpu = zscope_on_gpu
    try:
        import spaces

        on_gpu = spaces.GPU(duration=lambda request: request["seconds"])(zscope_on_gpu)
    except ImportError:
        pass  # no hosting: the same function, here

    def lend(request: Request) -> Iterator[Reply]:
        for reply in on_gpu(request.plain()):
            yield Reply.of(reply)

    return lend


class LentEngine:
    """Has the face of :class:`core.engine.Engine` that the page uses.

    Args:
        engine: the real one, asked for its constants alone.
        lend: its entry point; None takes :func:`lent`'s.
    """

    recorded = False
    remote = True  # nothing is asked of it before a visitor wants it

    def __init__(self, engine: Any, lend: Lend | None = None) -> None:
        self._lend = lend or lent(engine)
        self.name, self.family, self.budget = engine.name, engine.family, engine.budget
        self.bank, self.choice = engine.bank, engine.choice
        self.notes = (*engine.notes, "The GPU is lent by the hosting, for a call at a time.")
        self.store = Store()

    def stream(
        self,
        image: Image.Image | None,
        question: str,
        *,
        cancel: threading.Event | None = None,
        **settings: Any,
    ) -> Iterator[Any]:
        """As :meth:`Engine.stream`; a latent sent in is refused.

        Raises:
            InputError: a latent was sent in; others as the engine raises them.
        """
        request = Request(RUN, image, question, settings=settings)
        replies = self._lend(request)
        spoken = False
        for reply in replies:
            reply.checked()
            assert reply.step is not None
            for trace in reply.traces:
                self._keep(trace, image, reply.patches)
            spoken = True
            if (yield reply.step) is not None:
                raise InputError(STEPWISE)
            if cancel is not None and cancel.is_set() and reply.step.trace is None:
                getattr(replies, "close", lambda: None)()
                raise Cancelled("Stopped; on a lent GPU what was said so far is not kept.")
        if not spoken:
            raise Cancelled("The lent GPU gave nothing back; try again.")

    def run(self, image: Image.Image | None, question: str, **settings: Any) -> Trace:
        """As :meth:`Engine.run`."""
        *_, last = self.stream(image, question, **settings)
        trace: Trace = last.trace
        return trace

    def branch(self, trace: Trace, edits: Sequence[Edit], *, cancel: Any = None) -> Trace:
        """As :meth:`Engine.branch`; a call that has begun is not stopped."""
        return self.branches(trace, [edits], cancel=cancel)[0]

    def branches(
        self, trace: Trace, edit_lists: Sequence[Sequence[Edit]], *, cancel: Any = None
    ) -> list[Trace]:
        """As :meth:`Engine.branches`."""
        if cancel is not None and cancel.is_set():
            raise Cancelled("Stopped before anything was said.")
        held = self.store.get(trace)
        edits = tuple(tuple(each) for each in edit_lists)
        reply = self._ask(Request(BRANCHES, held.inputs["image"], chain=self._chain(trace),
                                  edits=edits))  # fmt: skip
        for child in reply.traces:
            self._keep(child, held.inputs["image"], held.patches)
        return list(reply.traces)

    def score(self, trace: Trace, options: Sequence[str]) -> dict[str, float]:
        """As :meth:`Engine.score`; what was scored when a run was recorded is not asked again."""
        kept = dict(trace.option_scores)
        if kept and set(options) <= set(kept):
            return {option: kept[option] for option in options}
        held = self.store.get(trace)
        request = Request(
            SCORE, held.inputs["image"], chain=self._chain(trace), options=tuple(options)
        )
        return dict(self._ask(request).scores)

    def patches(self, trace: Trace) -> Any:
        """As :meth:`Engine.patches`; (0, D) for a recorded run, whose picture was not read here."""
        import torch

        held = self.store.by_id(trace.id)
        if held is not None and held.patches is not None:
            return held.patches
        return torch.zeros(0, trace.spans[0].latents.shape[1] if trace.spans else 1)

    def adopt(
        self, trace: Trace, image: Image.Image | None, ancestors: Sequence[Trace] = ()
    ) -> Trace:
        """Keep a run; it is replayed by the call that needs it."""
        for each in (*ancestors, trace):
            if self.store.by_id(each.id) is None:
                self._keep(each, image, None)
        return trace

    def _ask(self, request: Request) -> Reply:
        *_, last = self._lend(request)
        return last.checked()

    def _keep(self, trace: Trace, image: Image.Image | None, patches: Any) -> None:
        self.store.put(Held(trace, {"image": image}, 0, [], patches))

    def _chain(self, trace: Trace) -> tuple[Trace, ...]:
        chain = [trace]
        while chain[0].parent is not None:
            parent = self.store.parent_of(chain[0])
            if parent is None:
                raise InputError(
                    "The run this branch came from is no longer held; run the question again."
                )
            chain.insert(0, parent.trace)
        return tuple(chain)
