"""Say what runs here and why: device, precision, versions, families, models, identity checks."""

import argparse
import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from gui.commands import ROOT, Mistake, model

REQUIRES = ["requirements.txt"]
SHOWN = (
    "torch", "torchvision", "transformers", "qwen-vl-utils", "gradio", "mcp", "plotly", "umap-learn"
)  # fmt: skip


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which model is examined, and how it is loaded."""
    model.add_flags(parser)
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="only write versions, device, models and the last errors to a file, to be sent along "
        "with a question: no picture, no question and no password is in it",
    )


def line(title: str, text: str) -> None:
    """One finding, in two columns."""
    print(f"{title:10} {text}", flush=True)


def versions() -> str:
    """The versions of the distributions that matter, those that are absent left out."""
    found = []
    for name in SHOWN:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def size(folder: Path) -> str:
    """Size of a folder's files, in megabytes."""
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return f"{total / 1e6:.1f} MB"


def report() -> dict[str, Any]:
    """What is worth knowing of this machine where something went wrong on it."""
    from core import families
    from core.engine import device
    from gui import logbook
    from gui.places import state_folder

    choice = device.choose()
    present = sorted(path.parent for path in model.MODELS.glob("*/config.json"))
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(),
        "device": f"{choice.device}, {choice.dtype_name}: {choice.reason}",
        "families": list(families.names()),
        "models": {folder.name: size(folder) for folder in present},
        "errors": logbook.last(state_folder() / "log"),
    }


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 0 where every identity check was run and passed, else 1."""
    if arguments.report is not None:
        try:
            arguments.report.write_text(json.dumps(report(), indent=1), encoding="utf-8")
        except OSError as error:
            raise Mistake(
                f"{arguments.report} cannot be written ({error.strerror}): give another file."
            ) from error
        print(f"Written to {arguments.report}; look at it before you send it.", flush=True)
        return 0
    line("python", f"{platform.python_version()} at {sys.executable}, {platform.platform()}")
    line("versions", versions())

    import core
    from core import families
    from core.engine import device, selfcheck

    choice = device.choose(arguments.device, arguments.dtype)
    line("device", f"{choice.device}, {choice.dtype_name}: {choice.reason}")
    line("families", ", ".join(families.names()))
    present = sorted(path.parent for path in model.MODELS.glob("*/config.json"))
    for folder in present:
        line("model", f"{folder.relative_to(ROOT)}, {size(folder)}")
    if not present:
        line("model", "none under assets/models")
    if arguments.model == model.DEFAULT and not model.DEFAULT.is_dir():
        line("checks", "not run: the default model is not here; give another with --model")
        return 1

    line("checks", f"on {arguments.model}")
    engine = core.load(
        str(arguments.model),
        family=arguments.family,
        device=arguments.device,
        dtype=arguments.dtype,
        attention=arguments.attention,
    )
    checks = selfcheck(engine)
    for name, passed, detail in checks:
        line("  pass" if passed else "  FAIL", f"{name}: {detail}")
    return 0 if all(passed for _, passed, _ in checks) else 1
