"""Zscope's instrument, without the page: load a model, ask it, change what it imagines.

::

    import core

    engine = core.load("assets/models/faithful")
    trace = engine.run("picture.png", "What colour is the star?")
    child = engine.branch(trace, [core.Edit("gaussian", steps=[2, 3], dose=1.0)])
    print(trace.answer, "→", child.answer, child.receipts[0].epsilon)

Everything that computes lives here and nothing here knows of the page.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.records.edit import Edit
from core.records.receipt import Dose, Receipt
from core.records.settings import Settings
from core.records.span import Span
from core.records.trace import Prompt, Trace

if TYPE_CHECKING:
    from core.engine import Engine

__all__ = ["Dose", "Edit", "Prompt", "Receipt", "Settings", "Span", "Trace", "load"]


def load(
    source: str | Path,
    family: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    attention: str = "sdpa",
    revision: str | None = None,
    banks: str | Path | None = None,
    decode: str = "auto",
) -> Engine:
    """Load a checkpoint.

    Args:
        source: a folder or a hub id.
        family: ``core.families.names()``; None detects it from the checkpoint's own tokens.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``; ``"all"`` deals the layers out over
            all GPUs.
        dtype: ``"auto"``, ``"float32"``, ``"bfloat16"``, ``"float16"``; ``"8bit"`` and ``"4bit"``
            store the weights so, where bitsandbytes is installed.
        attention: kernel of the prompt pass: ``"sdpa"``, ``"eager"``, ``"flash_attention_2"``.
        revision: commit of a hub checkpoint.
        banks: a folder of banks, looked into where none lies beside the model. A bank that was
            built with other settings is not used, and ``engine.notes`` says so.
        decode: how one slot is decoded: ``"auto"`` replays a CUDA graph where that is possible,
            ``"eager"`` never does, ``"compiled"`` fuses the kernels first, which takes half a
            minute for every size of batch; ``"static"`` is the graph's step without the graph.

    Raises:
        CheckpointError: it cannot be loaded; FamilyError: no family or several fit;
        MemoryShortage: the device cannot hold it. One sentence each.
    """
    # the page is served before torch is imported, so nothing heavy above this line
    from core.edits import prepare
    from core.engine import open_engine
    from core.engine.bankfile import settle_bank

    engine = open_engine(source, prepare, family, device, dtype, attention, revision, decode)
    said = settle_bank(engine, None if banks is None else Path(banks))
    engine.notes += (said,) if said else ()
    return engine


def __getattr__(name: str) -> Any:
    """Rooms are importable as ``core.scenes`` etc. without importing torch for all."""
    import importlib

    rooms = (
        "edits",
        "engine",
        "errors",
        "families",
        "measures",
        "records",
        "scenes",
        "study",
        "training",
    )
    if name in rooms:
        return importlib.import_module(f"core.{name}")
    raise AttributeError(f"module 'core' has no attribute {name!r}")
