"""Where Zscope keeps what outlives it on this machine: sessions, and models used of late."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """The user's own folder for program state, as the system has it; not made here."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        given = Path(os.environ.get("XDG_STATE_HOME") or "")
        base = given if given.is_absolute() else home / ".local" / "state"
    return base / "zscope"
