"""UMAP without waiting for its compiler: what numba compiles is kept between processes.

umap-learn marks one of its hundred-odd jitted functions as cacheable, so by itself every
process compiles them again (ten to forty seconds). Here they are declared cacheable while umap
is imported, and the machine code is kept in a folder of the user's own, outside the installed
packages, which may be read-only or shared. Delete the folder at any time; it is made again.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

_loading = Lock()


def cache_folder() -> Path:
    """Where compiled code is kept: NUMBA_CACHE_DIR, or a folder below the user's cache folder."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "zscope" / "compiled"


def load_umap() -> ModuleType:
    """The module ``umap``, its functions cached on disk; safe to call from several threads.

    Where the folder cannot be written, or umap was imported by somebody else before, it works
    all the same and compiles in this process.
    """
    with _loading:
        if "umap" in sys.modules:
            return sys.modules["umap"]
        import numba

        folder = cache_folder()
        if not _writable(folder):
            return importlib.import_module("umap")
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        plain = numba.njit
        numba.njit = _cached(plain)
        try:
            return importlib.import_module("umap")
        finally:
            numba.njit = plain


def _cached(njit: Callable[..., Any]) -> Callable[..., Any]:
    def caching(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("cache", True)
        return njit(*args, **kwargs)

    return caching


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
