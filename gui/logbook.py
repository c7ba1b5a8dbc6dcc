"""What went wrong, kept for whoever is asked about it: a line of JSON an error, in a few files.

A line says when, what type of error, and through which of our functions it came. What the error
said is left out, since it may quote what a visitor wrote, and so is everything that was asked or
shown: no question, no picture, no password ever gets here.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

SIZE, FILES = 500_000, 3  # bytes of one file, and how many older ones are kept
NAME = "errors.jsonl"
_log = logging.getLogger("zscope.errors")
_log.propagate = False
_log.addHandler(logging.NullHandler())


class _Quiet(RotatingFileHandler):
    """A full or read-only disk costs the line and nothing else."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Let it go."""


def keep_in(folder: Path | None) -> Path | None:
    """Keep errors in a folder from now on; its file, None where it cannot be written."""
    for handler in list(_log.handlers):
        if isinstance(handler, _Quiet):
            _log.removeHandler(handler)
            handler.close()
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / NAME
        handler = _Quiet(path, maxBytes=SIZE, backupCount=FILES, encoding="utf-8", delay=True)
    except OSError:
        return None
    _log.addHandler(handler)
    return path


def note(error: BaseException) -> None:
    """Write an error down."""
    _log.error(json.dumps(entry(error), ensure_ascii=True))


def entry(error: BaseException) -> dict[str, Any]:
    """What is written of an error."""
    frames = traceback.extract_tb(error.__traceback__)
    cause = error.__cause__ or error.__context__
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "error": type(error).__name__,
        "cause": type(cause).__name__ if cause is not None else None,
        "through": [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames[-12:]],
    }


def last(folder: Path, count: int = 20) -> list[dict[str, Any]]:
    """The newest errors, the newest last; lines that are damaged are left out."""
    lines: list[str] = []
    for path in (folder / f"{NAME}.1", folder / NAME):
        try:
            lines += path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
    found = []
    for line in lines[-count:]:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
