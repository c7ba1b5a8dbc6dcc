"""The private environment: what a command needs before anything but Python may be imported.

Where this interpreter has everything a command requires (an active environment, a hosted Space)
nothing happens. Elsewhere ``.venv`` is made in the checkout, filled once with pip, and the same
command line starts again inside it; no environment of the user's is ever changed.

An install that is cut off heals by itself: the marker file tells a whole environment from a
half-filled one, which is built again from nothing, since a half-copied package looks installed
to pip. Changed requirements bring the environment up to date on the next start.
"""

import contextlib
import hashlib
import json
import operator
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from gui.commands import ROOT, Mistake

PRIVATE = ROOT / ".venv"
PYTHON = PRIVATE / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# Says how far the private environment has come: absent means somebody else made the folder,
# "installing" that an install was cut off (half a package looks installed to pip, so the
# folder is built again), "complete" that it holds the requirement files whose digests it lists.
MARKER = PRIVATE / "zscope.json"
REENTERED = "ZSCOPE_REENTERED"  # set for the second start, so that a third never happens
# A name and its bounds, the only form that is used in the requirement files.
BOUND = r"(?:==|>=|<=|>|<)[\w.+]+"
REQUIREMENT = re.compile(rf"([\w.-]+)({BOUND}(?:,{BOUND})*)")
COMPARE = {
    "==": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def requirement_lines(file: Path) -> list[str]:
    """The requirements of a file, without comments and blank lines."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def release(version: str) -> list[int]:
    """``"2.13.0+cpu"`` → ``[2, 13]``: the release numbers, so that 2.13 and 2.13.0 are equal."""
    numbers = [int(number) for number in re.match(r"[\d.]*", version)[0].split(".") if number]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def satisfies(requirement: str, version: str) -> bool:
    """Whether a version of a distribution is within a requirement's bounds."""
    bounds = REQUIREMENT.fullmatch(requirement)[2].split(",")
    pairs = [re.match(r"([=<>]+)(.+)", bound).groups() for bound in bounds]
    return all(COMPARE[sign](release(version), release(v)) for sign, v in pairs)


def unmet(files: list[Path]) -> list[tuple[str, str | None]]:
    """Each requirement this interpreter lacks, with the version it has instead (None: absent).

    Reads the metadata of installed distributions only, nothing is imported: milliseconds.
    """
    lacking = []
    for requirement in (line for file in files for line in requirement_lines(file)):
        name = REQUIREMENT.fullmatch(requirement)[1]
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = None
        if not found or not satisfies(requirement, found):
            lacking.append((requirement, found))
    return lacking


def digests(files: list[Path]) -> dict[str, str]:
    """A digest of each file's requirements; rewording a comment does not change it."""
    return {
        file.name: hashlib.sha256("\n".join(requirement_lines(file)).encode()).hexdigest()
        for file in files
    }


def recorded() -> dict | None:
    """What the marker says, or None where this launcher did not make the folder."""
    try:
        return json.loads(MARKER.read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError:  # cut off while it was written
        return {"state": "installing"}


def is_current(files: list[Path]) -> bool:
    """Whether the private environment is whole and was filled from these very requirements."""
    marker = recorded() or {}
    held = marker.get("requirements", {}).items()
    return marker.get("state") == "complete" and held >= digests(files).items() and PYTHON.exists()


@contextlib.contextmanager
def sole_installer() -> Iterator[None]:
    """Held while installing, so that a second start waits instead of building in the same place.

    The lock falls with the process that held it. Windows has no such lock: there it is skipped.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(ROOT / ".venv.lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another start is installing the requirements; waiting for it.", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run_whole(command: list[str | Path]) -> int:
    """Run a program and everything it starts itself; being stopped ends all of them.

    pip works through children of its own: one left behind would write on into the folder while
    the next start builds it again.
    """
    own_group = os.name == "posix"
    with subprocess.Popen(command, start_new_session=own_group) as child:
        try:
            return child.wait()
        except BaseException:
            if own_group:
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
            raise


def install(files: list[Path]) -> None:
    """Make the private environment, or bring it up to date, with pip's own progress in view."""
    before = recorded() or {}
    whole = before.get("state") == "complete" and PYTHON.exists()
    names = [re.split(r"[<>=]", line)[0] for file in files for line in requirement_lines(file)]
    print(
        f"{'Updating' if whole else 'Installing'} {len(names)} requirements ({', '.join(names)}) "
        "in the private environment .venv: once, about two minutes and 2 GB on disk, more where "
        "pip takes a CUDA build of torch.",
        flush=True,
    )
    PRIVATE.mkdir(exist_ok=True)
    MARKER.write_text(json.dumps({"state": "installing"}), encoding="utf-8")
    if not whole:
        for left_over in PRIVATE.iterdir():
            if left_over.is_dir() and not left_over.is_symlink():
                shutil.rmtree(left_over)
            elif left_over != MARKER:
                left_over.unlink()
        if run_whole([sys.executable, "-m", "venv", PRIVATE]):
            raise Mistake(
                "Python could not make an environment (its own message is above): on Debian or "
                "Ubuntu install python3-venv, or start launch.py in an environment of your own."
            )
    pip = [PYTHON, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    if run_whole([*pip, *(part for file in files for part in ("-r", file))]):
        if whole:  # pip downloads everything before it changes anything, so what was there stands
            MARKER.write_text(json.dumps(before), encoding="utf-8")
        raise Mistake(
            "pip could not install the requirements (its own message is above): "
            "see to that, most often the network or the free disk space, and start again."
        )
    kept = before["requirements"] if whole else {}
    complete = {"state": "complete", "requirements": {**kept, **digests(files)}}
    MARKER.write_text(json.dumps(complete, indent=1), encoding="utf-8")


def start_again(python: str | Path, reentered: bool) -> None:
    """Replace this process by the same command line under another interpreter."""
    command = [str(python), str(ROOT / "launch.py"), *sys.argv[1:]]
    environment = {**os.environ, REENTERED: "1"} if reentered else dict(os.environ)
    sys.stdout.flush()
    if os.name == "nt":  # exec on Windows returns to the prompt while the new process runs on
        raise SystemExit(subprocess.run(command, env=environment).returncode)
    os.execve(command[0], command, environment)


def ensure(files: list[Path], may_install: bool) -> None:
    """Return only where every requirement of ``files`` is met; see the module's docstring.

    Without permission to install, an absent requirement ends the start with one sentence, and
    one of another version than asked for is named and used: the environment is the user's.
    """
    lacking = unmet(files)
    second_start = os.environ.pop(REENTERED, None)
    inside = Path(sys.prefix).resolve() == PRIVATE.resolve()
    untouched = not inside or not may_install or recorded() is None or is_current(files)
    if not lacking and untouched:
        return
    install_line = f"`python -m pip install {' '.join(f'-r {file.name}' for file in files)}`"
    absent = [requirement for requirement, found in lacking if not found]
    if not may_install and absent:
        raise Mistake(
            f"This Python lacks {', '.join(absent)}: run {install_line} with it, and start again."
        )
    if not may_install:
        other = ", ".join(f"{found} for {requirement}" for requirement, found in lacking)
        print(f"Note: this environment has {other}.", file=sys.stderr)
        return
    foreign = recorded() is None and PRIVATE.is_dir() and any(PRIVATE.iterdir())
    if foreign and (inside or second_start or not PYTHON.exists()):
        wanted = ", ".join(requirement for requirement, _ in lacking)
        raise Mistake(
            f"The folder .venv was not made by launch.py and lacks {wanted}: "
            f"run {install_line} in it, or delete it, and start again."
        )
    if second_start:
        raise Mistake(
            "The private environment is still not whole: delete the folder .venv and start again."
        )
    if inside:  # an environment cannot be built again from within itself
        start_again(sys._base_executable, reentered=False)
    if not foreign and not is_current(files):
        try:
            with sole_installer():
                if not is_current(files):
                    install(files)
        except OSError as error:
            raise Mistake(
                f"The private environment cannot be made in {ROOT}: {error.strerror or error}."
            ) from error
    start_again(PYTHON, reentered=True)
