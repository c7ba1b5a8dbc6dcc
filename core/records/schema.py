"""What each field of a packed trace may hold, and the trace made of it.

:mod:`core.records.packing` describes the form. An infinity is let in where a quantity can be
that: a log-probability, and a ratio to a vector of length zero. A tensor must stand among the
session's tensors; lengths that belong together agree; spans lie inside the tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from core.errors import EditError, RecordError
from core.records.checks import (
    Reader,
    alike,
    choice,
    flag,
    maybe,
    name,
    real,
    record,
    several,
    shown,
    text,
    whole,
)
from core.records.coherence import check_trace
from core.records.edit import MODES, PARTS, Edit
from core.records.limits import Limits
from core.records.receipt import Dose, Receipt
from core.records.settings import Settings
from core.records.span import Span
from core.records.tensors import check_tensor
from core.records.trace import Prompt, Timings, Trace

CRITERIA = ("mse", "mae", "cosine")
SPAN_ENDS = (
    "count",
    "end token",
    "distance",
    "repeat",
    "restart",
    "edit",
    "eos",
    "length",
    "cancelled",
)
TRACE_ENDS = ("eos", "length", "cancelled")

_INT32 = 2**31 - 1
_CERTAIN = 0.01  # a log-probability of 1 rounds to a little above 0 at times
_IDENTITY = r"[0-9A-Za-z_-]{1,64}"


def unpack(plain: Any, tensors: Mapping[str, Tensor], limits: Limits | None = None) -> Trace:
    """The trace that :func:`core.records.packing.pack` made ``plain`` and ``tensors`` of.

    Raises:
        RecordError: naming the first field that is not as it should be.
    """
    limits = limits or Limits()
    for key, tensor in tensors.items():
        check_tensor(tensor, f"tensor {shown(key)}", limits)
    trace: Trace = trace_reader(tensors, limits)(plain, "trace")
    return trace


def trace_reader(tensors: Mapping[str, Tensor], limits: Limits) -> Reader:
    """A reader of packed traces whose tensors, already checked, are among ``tensors``."""
    words, label = text(limits.string), name()
    identity = name(pattern=_IDENTITY)
    count, latents = whole(0, _INT32), whole(0, limits.latents)
    step, span_index = whole(0, limits.latents - 1), whole(0, limits.tokens)
    seed = whole(-(2**63), 2**64 - 1)
    ids = alike(int, 0, _INT32, count, limits.tokens)
    logprob = real(most=_CERTAIN, infinite="-inf")
    size = several(count, 2, least=2)
    positive, ratio = real(0), real(0, infinite="inf")

    def vectors(value: Any, where: str) -> Tensor:
        if type(value) is not str or value not in tensors:
            raise RecordError(f"{where} is {shown(value)}, which is no tensor of this session.")
        return tensors[value]

    def token(value: Any, where: str) -> str | int:
        read: str | int = (words if isinstance(value, str) else count)(value, where)
        return read

    def likeliest(value: Any, where: str) -> tuple[tuple[int, float], ...]:
        if type(value) is not list or len(value) % 2 or len(value) > 2 * limits.choices:
            raise RecordError(f"{where} is not a list of at most {limits.choices} pairs.")
        return tuple(zip(ids(value[::2], where), logprobs(value[1::2], where), strict=True))

    logprobs = alike(float, -1e300, _CERTAIN, logprob, limits.tokens)
    edit = _edit_reader(
        {
            "kind": label,
            "steps": maybe(several(step, limits.latents)),
            "span": span_index,
            "mode": choice(*MODES),
            "seed": seed,
            "dose": maybe(positive),
            "angle": maybe(real()),
            "fraction": maybe(real(0, 1)),
            "renorm": flag,
            "order": maybe(several(step, limits.latents)),
            "count": maybe(latents),
            "token": maybe(token),
            "patch": maybe(size),
            "text": maybe(words),
            "layers": maybe(size),
            "part": choice(*PARTS),
            "source": maybe(label),
            "target": maybe(label),
            "values": maybe(vectors),
            "donor": maybe(vectors),
            "donor_id": maybe(identity),
            "places": maybe(several(count, limits.tokens)),
        }
    )
    settings = record(
        Settings,
        {
            "budget": maybe(latents),
            "force_latents": flag,
            "forbid_latents": flag,
            "seed": seed,
            "temperature": positive,
            "top_p": real(0, 1),
            "top_k": count,
            "max_new_tokens": count,
            "strategy": maybe(label),  # a registered family brings its own
            "end_threshold": real(),
            "criterion": choice(*CRITERIA),
            "dtype": label,
            "attention": label,
            "device": label,
        },
    )
    prompt = record(
        Prompt,
        {
            "question": words,
            "system": maybe(words),
            "text": words,
            "image_hash": name(pattern="([0-9a-f]{64})?"),
            "image_size": size,
            "grid": size,
            "input_ids": ids,
        },
    )
    dose = _dose_reader(
        {
            "step": step,
            "epsilon": ratio,
            "cosine": real(-1.001, 1.001),
            "norm_ratio": ratio,
            "percentile": maybe(real(0, 100)),
            "hidden_change": maybe(ratio),
            "place": maybe(count),
        },
    )
    receipt = record(
        Receipt,
        {
            "kind": label,
            "mode": choice(*MODES),
            "span": span_index,
            "doses": several(dose, limits.latents),
            "note": words,
        },
    )
    span = record(
        Span,
        {"start": count, "latents": vectors, "hidden": vectors, "ended_by": choice(*SPAN_ENDS)},
    )
    trace = record(
        Trace,
        {
            "prompt": prompt,
            "family": label,
            "model": name(4096),
            "settings": settings,
            "token_ids": ids,
            "sampled_ids": ids,
            "pieces": several(words, limits.tokens),
            "spans": several(span, limits.tokens),
            "logprobs": logprobs,
            "top": several(likeliest, limits.tokens),
            "text": words,
            "answer": maybe(words),
            "answer_problem": maybe(words),
            "imagined": maybe(size),
            "ended_by": choice(*TRACE_ENDS),
            "revision": maybe(label),
            "option_scores": several(_pair(words, logprob), limits.choices),
            "timings": record(Timings, {"prompt": positive, "decode": positive, "passes": count}),
            "edits": several(edit, limits.edits),
            "receipts": several(receipt, limits.edits),
            "parent": maybe(identity),
            "lineage": several(several(edit, limits.edits), limits.edits),
            "id": identity,
        },
    )

    def read(value: Any, where: str) -> Trace:
        found: Trace = trace(value, where)
        check_trace(found, where)
        return found

    return read


def _dose_reader(readers: Mapping[str, Reader]) -> Reader:
    whole_dose = record(Dose, readers)

    def read(value: Any, where: str) -> Any:
        # sessions saved before the prompt could be edited do not name a place
        old = type(value) is dict and "place" not in value
        return whole_dose({**value, "place": None} if old else value, where)

    return read


def _edit_reader(readers: Mapping[str, Reader]) -> Reader:
    plain = record(Edit, readers, optional=True)

    def read(value: Any, where: str) -> Edit:
        if type(value) is dict and "kind" not in value:
            raise RecordError(f"{where} lacks the field “kind”.")
        try:
            edit: Edit = plain(value, where)
        except EditError as error:  # what an Edit itself finds wrong with its fields
            raise RecordError(f"{where} is no edit: {error}") from error
        return edit

    return read


def _pair(first: Reader, second: Reader) -> Reader:
    def read(value: Any, where: str) -> tuple[Any, Any]:
        if type(value) is not list or len(value) != 2:
            raise RecordError(f"{where} is {shown(value)}, not a pair.")
        return first(value[0], f"{where}[0]"), second(value[1], f"{where}[1]")

    return read
