"""A trace as plain JSON values and named tensors.

A packed trace is a dict with the fields of :class:`Trace`, ``logits`` left out. A tensor is
replaced by its digest, under which it stands among the tensors; ``top`` is flattened to
``[id, logprob, id, logprob, …]`` for each token; an :class:`Edit` leaves out what is at its
default; an infinity is the word ``"inf"`` or ``"-inf"``. Floats are written with the digits that
bring back the same float. :mod:`core.records.schema` reads it all back.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from core.errors import RecordError
from core.records.checks import shown
from core.records.edit import Edit
from core.records.tensors import digest
from core.records.trace import Trace

_JSON = {int, str, float}


def pack(trace: Trace) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The trace as values JSON can hold, and its tensors by digest.

    Raises:
        RecordError: when a field holds something no record holds, or a tensor is not float32.
    """
    tensors: dict[str, Tensor] = {}
    plain = {
        field.name: _plain(getattr(trace, field.name), field.name, tensors)
        for field in fields(trace)
        if field.name not in ("logits", "top")
    }
    flat = [[value for pair in row for value in pair] for row in trace.top]
    plain["top"] = _plain(flat, "top", tensors)
    return plain, tensors


def _plain(value: Any, where: str, tensors: dict[str, Tensor]) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return str(value) if math.isinf(value) else value
    if isinstance(value, (tuple, list)):
        # most values of a session stand in lists of numbers or texts
        if set(map(type, value)) <= _JSON and math.inf not in value and -math.inf not in value:
            return list(value)
        return [_plain(item, f"{where}[{i}]", tensors) for i, item in enumerate(value)]
    if isinstance(value, Tensor):
        if value.dtype != torch.float32:
            raise RecordError(f"{where} is {value.dtype}, not float32.")
        tensor = value.detach().cpu()
        key = digest(tensor)
        tensors[key] = tensor
        return key
    if is_dataclass(value):
        return {
            field.name: _plain(part, f"{where}.{field.name}", tensors)
            for field in fields(value)
            for part in (getattr(value, field.name),)
            if not (isinstance(value, Edit) and _at_default(part, field.default))
        }
    raise RecordError(f"{where} is {shown(value)}, which a session cannot hold.")


def _at_default(value: Any, default: Any) -> bool:
    # 0 is not False here, and a field without a default is always written
    return default is not MISSING and type(value) is type(default) and bool(value == default)
