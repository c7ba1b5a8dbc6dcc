"""Sessions kept on disk by themselves: a tab finds its branches again after a reload or a crash.

The browser holds only a session's name, which nobody can guess; the runs stay on this machine,
in files that are replaced in one step. Writing happens behind the page, once the visitor has
been still for a moment.
"""

from __future__ import annotations

import re
import secrets
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.records.archive import Session
    from gui.visits import Visit

DAYS = 7  # an untouched session is deleted after so many
AGAIN = 30.0  # seconds until a session that could not be written is tried again
STILL = 0.3  # seconds without a change before a session is written
PATIENCE = 3.0  # seconds a session that is due gives way to a run or an edit under way
NAME = re.compile(r"[A-Za-z0-9_-]{32}")
SUFFIX = ".zscope"
UNKEPT = "not kept"  # in a visit's ``beside``: what it is told once when it cannot be written
FULL = (
    "What you do here is not being kept by itself, since its file could not be written; use Save, "
    "or make room on the disk of this page's machine."
)


@dataclass
class Open:
    """A session a tab is working in."""

    key: str
    visit: Visit
    write: Callable[[Path], None]
    due: float = 0.0
    failing: bool = False


class Autosave:
    """Sessions in one folder.

    Args:
        folder: where they are kept; None keeps nothing (a hosted copy, a test). One that cannot
            be written, as in a read-only home, keeps nothing either, and ``trouble`` says so.
    """

    def __init__(self, folder: Path | None) -> None:
        self.trouble = ""
        if folder is not None and not _can_write(folder):
            self.trouble = (
                f"Nothing can be written to {folder}, so sessions are not kept by themselves; use "
                "Save, or see to that folder and start again."
            )
            folder = None
        self.folder = folder
        self._open: dict[str, Open] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._writing = threading.Lock()
        if folder is not None:
            self.expire()
            threading.Thread(target=self._work, name="autosave", daemon=True).start()

    def begin(self, key: str, visit: Visit, write: Callable[[Path], None], name: str = "") -> str:
        """The name of the session a tab works in from now on, "" when nothing is kept.

        Args:
            key: of the visit.
            write: saves the visit to a path.
            name: of a session that is gone on with; a tab that had it open lets go of it.
        """
        if self.folder is None:
            return ""
        name = name if NAME.fullmatch(name) else secrets.token_urlsafe(24)
        with self._lock:
            self._open = {n: o for n, o in self._open.items() if o.key != key}
            self._open[name] = Open(key, visit, write)
        return name

    def taken(self, name: str) -> bool:
        """Whether a tab works in this session at the moment."""
        return name in self._open

    def path(self, key: str | None) -> Path | None:
        """The file of the session that the visit of ``key`` is kept in."""
        name = next((n for n, o in self._open.items() if o.key == key), None)
        return self.folder / (name + SUFFIX) if self.folder is not None and name else None

    def find(self, name: str) -> Session | None:
        """What was kept under a name; None when there is nothing that opens."""
        if self.folder is None or not NAME.fullmatch(name or ""):
            return None
        path = self.folder / (name + SUFFIX)
        with self._lock:
            entry = self._open.get(name)
        if entry is not None and entry.due:  # the reload came before the old tab's last save
            self._write(name, entry)
        from core.errors import RecordError
        from core.records import load

        with self._writing:  # a tab that was just closed may still be on its way to the disk
            try:
                return load(path) if path.is_file() else None
            except RecordError as error:
                print(f"A kept session was left aside: {error}", file=sys.stderr)
                return None

    def touch(self, key: str | None) -> None:
        """The visit of ``key`` has changed and is to be written."""
        with self._lock:
            for entry in self._open.values():
                if entry.key == key:
                    entry.due = time.monotonic() + STILL
                    self._wake.set()

    def leave(self, key: str) -> None:
        """The tab of ``key`` was closed: write what is due, and free the session's name."""
        with self._writing:  # a reload that asks for the session meanwhile waits for this
            with self._lock:
                found = next((n for n, o in self._open.items() if o.key == key), None)
                entry = self._open.pop(found) if found is not None else None
            if found is not None and entry is not None and entry.due:
                self._put(found, entry)

    def settle(self) -> None:
        """Write everything that is due, now."""
        with self._lock:
            due = [(n, o) for n, o in self._open.items() if o.due]
        for name, entry in due:
            self._write(name, entry)

    def expire(self) -> None:
        """Delete sessions nobody has touched for :data:`DAYS` days."""
        if self.folder is None:
            return
        oldest = time.time() - DAYS * 86400
        for path in self.folder.glob("*"):
            try:
                if path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()
            except OSError:
                continue

    def _work(self) -> None:
        cleaned = time.monotonic()
        while True:
            self._wake.wait(3600)
            time.sleep(STILL)
            for name, entry in self._due(time.monotonic()):
                self._write(name, entry)
            if time.monotonic() - cleaned > 3600:
                cleaned = time.monotonic()
                self.expire()

    def _due(self, now: float) -> list[tuple[str, Open]]:
        """What is to be written now; somebody who is just waiting for an answer comes first."""
        with self._lock:
            changed = [(n, o) for n, o in self._open.items() if o.due]
            due = [
                (n, o)
                for n, o in changed
                if o.due <= now and (not o.visit.going or now - o.due > PATIENCE)
            ]
            if len(due) == len(changed):
                self._wake.clear()
        return due

    def _write(self, name: str, entry: Open) -> None:
        with self._writing:
            self._put(name, entry)

    def _put(self, name: str, entry: Open) -> None:
        """Write a session; the caller holds ``_writing``."""
        assert self.folder is not None
        entry.due = 0.0
        if not entry.visit.branches:
            return
        try:
            entry.write(self.folder / (name + SUFFIX))
            entry.failing = False
            entry.visit.beside.pop(UNKEPT, None)
        except Exception:  # a full disk must not take the page down
            if not entry.failing:  # told once, though it is tried again and again
                traceback.print_exc()
                entry.failing = True
                entry.visit.beside[UNKEPT] = FULL
            entry.due = time.monotonic() + AGAIN  # there may be room later
            self._wake.set()


def _can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
