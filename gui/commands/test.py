"""Run everything CI runs: lint, format, types, then the tests, browser tests included.

Stages run in order and the first that fails ends the run with its exit code. pytest is the
last, so that its closing line is the last line there is. Arguments that are not this command's
own are handed to pytest.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from gui.commands import ROOT
from gui.commands.audit import audit, recorded

REQUIRES = ["requirements.txt", "requirements-test.txt"]
STAGES = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy", "core"])
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_APPLICATIONS = ("Google Chrome", "Chromium")
# Where playwright keeps the browsers it fetched itself, by platform, and their place in there.
PLAYWRIGHT_FOLDERS = ("~/.cache/ms-playwright", "~/Library/Caches/ms-playwright")
PLAYWRIGHT_PLACES = ("chromium-*/*/chrome", "chromium-*/*/*.app/Contents/MacOS/*")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Every flag beside --no-install is pytest's."""
    parser.usage = "launch.py test [-h] [--no-install] [pytest's own arguments …]"


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome to drive: on the PATH, an application, or playwright's own."""
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return found
    for name in MAC_APPLICATIONS:
        program = Path(f"/Applications/{name}.app/Contents/MacOS/{name}")
        if program.exists():
            return str(program)
    folders = [os.environ.get("PLAYWRIGHT_BROWSERS_PATH", ""), *PLAYWRIGHT_FOLDERS]
    for folder in (Path(folder).expanduser() for folder in folders if folder):
        for place in PLAYWRIGHT_PLACES:
            if fetched := sorted(folder.glob(place)):
                return str(fetched[-1])
    return None


def install_chromium() -> None:
    """Install Debian's own Chromium, where this is Debian and its administrator asks."""
    can_install = (
        shutil.which("apt-get")
        and os.geteuid() == 0
        and platform.freedesktop_os_release().get("ID") == "debian"  # Ubuntu's is a snap
    )
    if not can_install:
        return
    print("No Chromium found: installing Debian's for the browser tests (a minute).", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", "chromium"]):
        command = ["apt-get", "-y", *step]  # its 700 lines of progress would bury the tests
        subprocess.run(
            command, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False
        )


def run(arguments: argparse.Namespace) -> int:
    """Run the stages and return the exit code of the first that fails, or pytest's."""
    if find_chromium() is None:
        install_chromium()
    if find_chromium() is None:
        print("No Chromium or Chrome found: the browser tests will be skipped.", flush=True)
    # One thread a test process: on shared cores more threads are slower, and results are exact.
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    for stage in STAGES:
        name, started = " ".join(stage), time.monotonic()
        print(f"--- {name}", flush=True)
        code = subprocess.run([sys.executable, "-m", *stage], cwd=ROOT, env=quiet).returncode
        print(f"--- {name}: {time.monotonic() - started:.1f} s", flush=True)
        if code:
            return code
    print(f"--- audit of what is installed: {audit()}", flush=True)
    print(f"--- audit that was kept: {recorded()}", flush=True)
    print("--- pytest", flush=True)
    tests = [sys.executable, "-m", "pytest", *arguments.pytest]
    return subprocess.run(tests, cwd=ROOT, env=quiet).returncode
