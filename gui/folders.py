"""Folders of our own on the disk that are gone when they are of no use any more."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path

from gradio.utils import get_upload_folder

VARIABLE = "GRADIO_TEMP_DIR"
STRAY = 120.0  # seconds without a change, of which a request is given a quarter, see gui.requested


class Folder:
    """A folder that is gone when nobody holds it any more.

    Unlike ``tempfile.TemporaryDirectory`` it takes being dropped with its visit as what is meant
    to happen, and warns of nothing.

    Args:
        served: whether the page may serve what is in it, under a name that nobody can guess;
            otherwise it lies where nothing is served from.
    """

    def __init__(self, served: bool = False) -> None:
        if served:
            self.path = Path(get_upload_folder()) / secrets.token_hex(32)
            self.path.mkdir(mode=0o700, parents=True)
        else:
            self.path = Path(tempfile.mkdtemp(prefix="zscope-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def keep_uploads_apart() -> Path | None:
    """Put visitors' uploads in a folder of this process alone, which ends with it.

    Gradio's own is one for all its pages and all users of a machine. To be called before the
    page is built; None where the environment names a folder already, which is then used.
    """
    if os.environ.get(VARIABLE):
        return None
    folder = Path(tempfile.mkdtemp(prefix="zscope-uploads-"))
    os.environ[VARIABLE] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def clear_strays(folder: Path, age: float = STRAY) -> int:
    """Delete what is left of uploads that were broken off; how many.

    They lie in the folder itself and are moved into one of their own when they are whole.
    """
    now, gone = time.time(), 0
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                if path.is_file() and abs(now - path.stat().st_mtime) > age:
                    path.unlink()
                    gone += 1
    return gone
