"""An engine's answers where nothing survives a call: values in, values out.

On shared GPU hosting each call runs in a process of its own that is gone afterwards, with every
cache it made. So a call carries all it needs: the picture, the run and those it came from, the
edits. The runs are replayed (the same tokens forced, the same edits applied, checked token by
token: :mod:`core.engine.replay`), then what was asked is done. What comes back is on the CPU.

Between processes nothing but plain values goes: numbers, texts, bytes and numpy arrays. A tensor
would be sent as a handle that dies with the process that made it.

A person's mistake comes back as a value too: of an exception only the type's name would survive
the way between two processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from core import errors
from core.engine.step import Step
from core.errors import ZscopeError
from core.records import Edit, Trace, load, save

if TYPE_CHECKING:
    from core.engine.engine import Engine

RUN, BRANCHES, SCORE = "run", "branches", "score"
# Seconds, on the slowest GPU such hosting lends, with half as much again to spare.
STARTING, READING, PASS = 6.0, 3.0, 0.08
SHORTEST, LONGEST = 10, 120


@dataclass(frozen=True, eq=False)
class Request:
    """All that a call needs.

    Attributes:
        call: ``"run"``, ``"branches"`` or ``"score"``.
        image: the picture, RGB.
        question: of a run.
        settings: of a run, as :meth:`Engine.stream` takes them.
        chain: of a branch or a score: the run asked about last, before it those it came from.
        edits: one list a branch.
        options: answers to be scored.
    """

    call: str
    image: Image.Image | None
    question: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    chain: tuple[Trace, ...] = ()
    edits: tuple[tuple[Edit, ...], ...] = ()
    options: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Itself as plain values."""
        return {
            "call": self.call,
            "image": self.image,
            "question": self.question,
            "settings": dict(self.settings),
            "chain": _pack(self.chain),
            "edits": [[_fields(edit) for edit in each] for each in self.edits],
            "options": list(self.options),
            "seconds": self.seconds,
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Request:
        """The request that :meth:`plain` made plain."""
        return cls(
            plain["call"],
            plain["image"],
            plain["question"],
            plain["settings"],
            _unpack(plain["chain"]),
            tuple(tuple(Edit(**each) for each in edits) for edits in plain["edits"]),
            tuple(plain["options"]),
        )

    @property
    def seconds(self) -> int:
        """How long the work takes at most, estimated from the passes it needs."""
        replayed = sum(len(trace.token_ids) for trace in self.chain)
        last = len(self.chain[-1].token_ids) if self.chain else 0
        longest = self.settings.get("max_new_tokens", 256)
        new = {RUN: longest, BRANCHES: last + 256, SCORE: 1}[self.call]
        work = STARTING + READING + PASS * (replayed + new)
        return int(min(max(work, SHORTEST), LONGEST))


@dataclass(frozen=True, eq=False)
class Reply:
    """What comes back: of a run each step and last its trace, else everything at once.

    Attributes:
        step: of a run that goes on.
        traces: of a finished run, or of branches.
        patches: the picture's patch embeddings (n, D), with a run.
        scores: option → log-probability.
        trouble: a person's mistake: the name of its error and its sentence.
    """

    step: Step | None = None
    traces: tuple[Trace, ...] = ()
    patches: Tensor | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    trouble: tuple[str, str] | None = None

    def plain(self) -> dict[str, Any]:
        """Itself as plain values."""
        step = self.step
        latent = step.latent if step is not None else None
        return {
            "step": None
            if step is None
            else (step.index, step.token_id, step.piece, _array(latent), step.span, step.step),
            "traces": _pack(self.traces),
            "patches": _array(self.patches),
            "scores": dict(self.scores),
            "trouble": self.trouble,
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Reply:
        """The reply that :meth:`plain` made plain."""
        traces, step = _unpack(plain["traces"]), None
        if plain["step"] is not None:
            index, token, piece, latent, span, place = plain["step"]
            step = Step(index, token, piece, _tensor(latent), span, place)
            step = replace(step, trace=traces[0]) if traces else step
        return cls(step, traces, _tensor(plain["patches"]), plain["scores"], plain["trouble"])

    def checked(self) -> Reply:
        """Itself.

        Raises:
            ZscopeError: the one it carries, of its own type.
        """
        if self.trouble is not None:
            kind = getattr(errors, self.trouble[0], ZscopeError)
            raise kind(self.trouble[1])
        return self


def serve_plain(engine: Engine, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """:func:`serve` between processes: plain values in, plain values out."""
    for reply in serve(engine, Request.of(request)):
        yield reply.plain()


def serve(engine: Engine, request: Request) -> Iterator[Reply]:
    """Do what is asked and leave the engine as empty as it was.

    The last reply carries the result, or the sentence of what was wrong.
    """
    try:
        if request.call == RUN:
            yield from _run(engine, request)
            return
        asked = _replay(engine, request.chain, request.image)
        if request.call == BRANCHES:
            yield Reply(traces=tuple(engine.branches(asked, request.edits)))
        elif request.call == SCORE:
            yield Reply(scores=dict(engine.score(asked, list(request.options))))
        else:
            raise ValueError(f"there is no call {request.call!r}")
    except ZscopeError as error:
        yield Reply(trouble=(type(error).__name__, str(error)))
    finally:
        engine.store.clear()


def _run(engine: Engine, request: Request) -> Iterator[Reply]:
    for step in engine.stream(request.image, request.question, **request.settings):
        if step.trace is None:
            yield Reply(step=step)
            continue
        trace = step.trace
        patches = engine.patches(trace) if trace.prompt.grid[0] else None
        yield Reply(step=step, traces=(trace,), patches=patches)


def _replay(engine: Engine, chain: Sequence[Trace], image: Image.Image | None) -> Trace:
    return engine.adopt(chain[-1], image, chain[:-1])


def _pack(traces: Sequence[Trace]) -> bytes:
    if not traces:
        return b""
    file = BytesIO()
    save(file, traces)
    return file.getvalue()


def _unpack(data: bytes) -> tuple[Trace, ...]:
    return load(data).traces if data else ()


def _fields(edit: Edit) -> dict[str, Any]:
    values = {field.name: getattr(edit, field.name) for field in fields(edit)}
    return {k: _array(v) if isinstance(v, Tensor) else v for k, v in values.items()}


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().float().cpu().numpy()


def _tensor(array: Any) -> Tensor | None:
    return None if array is None else torch.from_numpy(array)
