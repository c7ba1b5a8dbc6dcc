"""How large a checkpoint is before it is loaded, read off the headers of its weight files.

A safetensors file begins with its header's length (8 bytes, little endian) and the header itself,
JSON: name → dtype, shape and place. Nothing behind it is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from core.errors import CheckpointError

MOST_HEADER = 100 * 2**20
WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Footprint:
    """Size of a checkpoint.

    Attributes:
        parameters: number of weights.
        stored: bytes of the files.
        model_type: ``model_type`` of config.json, "" when there is none.
    """

    parameters: int
    stored: int
    model_type: str = ""

    def bytes_in(self, dtype: str) -> int:
        """Bytes the weights take in memory as ``dtype``, runs not counted."""
        return self.parameters * WIDTHS[dtype]


def footprint(source: str | Path) -> Footprint:
    """The size of a checkpoint in a folder, or of one of the hub that is here already.

    Args:
        source: folder or hub id. A hub id is looked up in the local cache only.

    Raises:
        CheckpointError: when there is no such checkpoint here, or its headers are damaged.
    """
    folder = _folder(str(source))
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointError(f"{source} holds no weights (no .safetensors file).")
    parameters = sum(_weights(file) for file in files)
    return Footprint(parameters, sum(f.stat().st_size for f in files), _model_type(folder))


def _folder(source: str) -> Path:
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(source, "config.json")
    except HFValidationError as error:
        raise CheckpointError(f"“{source}” is neither a folder here nor a hub id.") from error
    if not isinstance(config, str):
        raise CheckpointError(
            f"{source} is not on this machine yet; loading it fetches it from the hub."
        )
    return Path(config).parent


def _weights(file: Path) -> int:
    try:
        with open(file, "rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= min(MOST_HEADER, file.stat().st_size):
                raise ValueError("length")
            header: dict[str, Any] = json.loads(opened.read(length))
        return sum(prod(v["shape"]) for k, v in header.items() if k != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file.name} is damaged or not a safetensors file.") from error


def _model_type(folder: Path) -> str:
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
