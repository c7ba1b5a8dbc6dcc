"""A checkout small enough to be set up many times, in which launch.py is started for real.

The house is a folder with launch.py and its commands, a page that only reports how it was
called, and requirements that are wheels of a few bytes, so that environments are really made
and filled without a network.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


PAGE = """
import dataclasses, json, os, sys, time

@dataclasses.dataclass(frozen=True)
class Options:
    model: str
    family: str | None
    device: str
    dtype: str
    attention: str
    host: str
    port: int
    share: bool
    browser: bool
    state: object = None
    own_models: bool = True
    bounds: object = None
    hosted: bool = False
    auth: object = None
    revision: str | None = None

def serve(options):
    names = ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE")
    report = dataclasses.asdict(options)
    for name in ("state", "own_models", "bounds", "hosted", "auth", "revision"):
        report.pop(name)
    report["environment"] = {name: os.environ.get(name) for name in names}
    report["prefix"] = sys.prefix
    print(json.dumps(report, default=str), flush=True)
    if os.environ.get("PAGE") == "stays":
        time.sleep(60)
    if os.environ.get("PAGE") == "raises":
        from core.errors import CheckpointError
        raise CheckpointError("The folder holds no weights: give another.")
"""


def write_wheel(folder: Path, version: str) -> None:
    """A wheel of the distribution ``imagined``, with one module that knows its version."""
    info = f"imagined-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: imagined\nVersion: {version}\n"
    files = {
        "imagined.py": f"version = {version!r}\n",
        f"{info}/METADATA": about,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"imagined-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


class House:
    """A checkout small enough to be set up many times."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = folder / ".venv"

    @classmethod
    def build(cls, folder: Path) -> "House":
        (folder / "gui").mkdir(parents=True)
        (folder / "wheels").mkdir()
        shutil.copy(ROOT / "launch.py", folder)
        shutil.copytree(
            ROOT / "gui" / "commands",
            folder / "gui" / "commands",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        (folder / "core").symlink_to(ROOT / "core")
        (folder / "gui" / "app.py").write_text(PAGE)
        for name in ("places.py", "hosting.py", "bounds.py", "errors.py"):
            shutil.copy(ROOT / "gui" / name, folder / "gui")
        (folder / "requirements.txt").write_text("imagined>=1.0,<2  # small\n")
        (folder / "requirements-test.txt").write_text("")
        write_wheel(folder / "wheels", "1.0")
        return cls(folder)

    def require(self, line: str) -> None:
        (self.folder / "requirements.txt").write_text(line + "\n")

    def satisfied(self, version: str = "1.0") -> dict[str, str]:
        """Variables under which the running Python has what the house requires."""
        info = self.folder / "have" / f"imagined-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: imagined\nVersion: {version}\n")
        return {"PYTHONPATH": str(info.parent)}

    def variables(self, extra: dict[str, str]) -> dict[str, str]:
        ours = ("SPACE_ID", "HF_HUB_OFFLINE", "PYTHONPATH", "OMP_NUM_THREADS")
        outside = {name: value for name, value in os.environ.items() if name not in ours}
        local = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.folder / "wheels")}
        return {**outside, **local, **extra}

    def start(self, *arguments: str, python: str = sys.executable, **extra: str):
        return subprocess.Popen(
            [python, str(self.folder / "launch.py"), *arguments],
            env=self.variables(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, python: str = sys.executable, **extra: str):
        with self.start(*arguments, python=python, **extra) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def marker(self) -> dict:
        return json.loads((self.environment / "zscope.json").read_text())

    def installed(self) -> str:
        python = self.environment / "bin" / "python"
        told = [python, "-c", "import imagined; print(imagined.version)"]
        return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()


def report(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def one_sentence(done: subprocess.CompletedProcess) -> str:
    """The whole of stderr, which a mistake has made one line, with exit code 2."""
    assert done.returncode == 2, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.endswith((".", ")."))
    return sentence
