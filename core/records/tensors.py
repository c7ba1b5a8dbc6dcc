"""Tensors in a session file: named by their content, checked before they are loaded."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from core.errors import RecordError
from core.records.checks import parse_json, shown
from core.records.limits import Limits

_DIGEST = re.compile(r"[0-9a-f]{64}")


def digest(tensor: Tensor) -> str:
    """The name of a float32 CPU tensor: SHA-256, in hex, of its shape and bytes.

    Equal tensors get equal names, so the donor of an edit, the same edit in a lineage and the
    latents they were taken from are stored once.
    """
    seen = hashlib.sha256(str(tuple(tensor.shape)).encode("ascii"))
    seen.update(tensor.contiguous().numpy().tobytes())
    return seen.hexdigest()


def encode(tensors: Mapping[str, Tensor]) -> bytes:
    """The tensors as safetensors."""
    # cloned: views of one storage are refused there, and here their values are what counts
    return save_safetensors({name: tensor.clone() for name, tensor in tensors.items()})


def decode(data: bytes, limits: Limits) -> dict[str, Tensor]:
    """The float32 tensors in ``data``, every one finite.

    The header is checked here, down to the last offset, before the bytes are handed on.

    Raises:
        RecordError: when anything about them is not as :func:`encode` writes it.
    """
    _check_header(data, limits)
    try:
        tensors = load_safetensors(data)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise RecordError("the tensors are damaged.") from error
    for name, tensor in tensors.items():
        check_tensor(tensor, f"tensor {name[:12]}…", limits)
    return tensors


def check_tensor(tensor: Any, where: str, limits: Limits) -> None:
    """Raise RecordError unless ``tensor`` is a finite float32 vector (D,) or table (K, D)."""
    if not isinstance(tensor, Tensor) or tensor.dtype != torch.float32:
        kind = str(tensor.dtype) if isinstance(tensor, Tensor) else type(tensor).__name__
        raise RecordError(f"{where} is {kind}, not float32.")
    _check_shape(list(tensor.shape), where, limits)
    if not bool(torch.isfinite(tensor).all()):
        raise RecordError(f"{where} holds a number that is not finite.")


def _check_header(data: bytes, limits: Limits) -> None:
    if len(data) < 10:
        raise RecordError("the tensors are cut off.")
    (length,) = struct.unpack("<Q", data[:8])
    if length > limits.header_bytes:
        raise RecordError(f"the tensors' header is longer than {limits.header_bytes:,} bytes.")
    if 8 + length > len(data) or data[8:9] != b"{":
        raise RecordError("the tensors' header is damaged.")
    header = parse_json(data[8 : 8 + length], "the tensors' header", limits)
    pieces = []
    for name, entry in header.items():
        where = f"tensor {shown(name)}"
        if not _DIGEST.fullmatch(name):
            raise RecordError(f"{where} does not belong in a session.")
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise RecordError(f"{where} is not described as a tensor is.")
        if entry["dtype"] != "F32":
            raise RecordError(f"{where} is {shown(entry['dtype'])}, not float32 (F32).")
        size = 4 * _check_shape(entry["shape"], where, limits)
        offsets = entry["data_offsets"]
        if not _wholes(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != size:
            raise RecordError(f"{where} does not have the {size:,} bytes its shape asks for.")
        pieces.append((offsets[0], offsets[1]))
    place = 0
    for start, stop in sorted(pieces):
        if start != place:
            raise RecordError("the tensors overlap, or leave gaps.")
        place = stop
    if 8 + length + place != len(data):
        raise RecordError("the tensors are cut off, or something follows them.")


def _check_shape(shape: Any, where: str, limits: Limits) -> int:
    """Number of values in ``shape``, (D,) or (K, D)."""
    if not _wholes(shape) or len(shape) not in (1, 2):
        raise RecordError(f"{where} is neither one vector nor a table of vectors.")
    width = shape[-1]
    rows = shape[0] if len(shape) == 2 else 1
    if not 1 <= width <= limits.width:
        raise RecordError(f"{where} has {width:,} dimensions; 1 to {limits.width:,} are allowed.")
    if rows > limits.latents:
        raise RecordError(f"{where} has {rows:,} vectors; {limits.latents:,} are allowed.")
    return int(rows * width)


def _wholes(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values)
