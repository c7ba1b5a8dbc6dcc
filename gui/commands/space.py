"""Write the folder that is uploaded as a Space, and check everything the hosting would refuse.

The folder holds what is under version control and no more, with a README whose front matter
says how the Space is built, requirements without what the hosting brings itself, and the large
files marked for LFS. ``--model`` names the checkpoint the Space opens with; a hub id is pinned
to a revision and fetched while the Space is built.
"""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

from gui.commands import ROOT, Mistake, environment, model
from gui.commands.frontmatter import checked, read, written

REQUIRES = ["requirements.txt"]
LEFT_OUT = ("tests/", "benchmarks/", "assets/screenshots/", ".github/", "requirements-test.txt")
# What a Gradio Space is given by its hosting: listing it again can only break the build.
BROUGHT = ("gradio", "spaces", "huggingface-hub", "huggingface_hub", "torch")
LENT_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")  # the torch versions ZeroGPU accepts
LARGE = 10 * 2**20  # bytes from which the hub takes a file by LFS alone
MOST = 2**30  # bytes of the whole folder; the hub's own limit for a Space
LARGE_NAMES = ("*.safetensors", "*.zscope", "*.png")
COMMIT = re.compile(r"[0-9a-f]{40}")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where the folder goes and what it opens with."""
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write; it must be empty")
    parser.add_argument(
        "--model",
        metavar="PATH_OR_ID",
        type=model.checkpoint,
        default=str(model.DEFAULT),
        help="a shipped model or a hub id the Space opens with (default: the faithful model)",
    )
    parser.add_argument(
        "--revision", metavar="COMMIT", help="commit of the hub id, 40 hexadecimal digits"
    )
    parser.add_argument(
        "--hardware",
        default="cpu-basic",
        help="what the Space is meant to run on, such as zero-a10g (default: cpu-basic)",
    )
    parser.add_argument("--title", default="Zscope", help="title of the Space")


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, check it, and say what is in it."""
    out = arguments.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Mistake(f"{out} is there already and not an empty folder: give another.")
    hub = hub_id(arguments.model)
    if hub and not COMMIT.fullmatch(arguments.revision or ""):
        raise Mistake(
            f"A hosted copy loads {hub} at one commit: give its 40 digits with --revision."
        )
    copy(ROOT, out)
    front = read((ROOT / "README.md").read_text(encoding="utf-8"))[0]
    front = {**front, "title": arguments.title, "suggested_hardware": arguments.hardware}
    if hub:
        front |= {"models": [hub], "preload_from_hub": [hub]}
    body = read((out / "README.md").read_text(encoding="utf-8"))[1]
    (out / "README.md").write_text(written(front) + body, encoding="utf-8")
    (out / "requirements.txt").write_text(requirements(), encoding="utf-8")
    (out / ".gitattributes").write_text(attributes(out), encoding="utf-8")
    (out / "space.json").write_text(opening(arguments, hub), encoding="utf-8")
    problems = check(out)
    for problem in problems:
        print(f"FAIL  {problem}", flush=True)
    if problems:
        return 1
    files = [path for path in out.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB, checked: upload {out} to the Space.")
    return 0


def hub_id(source: str) -> str:
    """The hub id ``source`` is, "" for a shipped model.

    Raises:
        Mistake: it is a folder that does not come with Zscope.
    """
    folder = Path(source).resolve()
    if folder.is_dir():
        if folder.parent != model.MODELS.resolve():
            raise Mistake(f"{source} is not shipped with Zscope: upload it, and give its hub id.")
        return ""
    return source


def copy(root: Path, out: Path) -> None:
    """What is under version control, without what a Space does not need."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False
    )
    if listed.returncode:
        raise Mistake(f"{root} is not under version control: start from a checkout of Zscope.")
    for name in listed.stdout.decode().split("\0"):
        if name and not name.startswith(LEFT_OUT) and (root / name).is_file():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, out / name)


def requirements() -> str:
    """The pinned requirements without those the hosting brings."""
    lines = environment.requirement_lines(ROOT / "requirements.txt")
    kept = [line for line in lines if re.split(r"[<>=]", line)[0].lower() not in BROUGHT]
    return "\n".join(kept) + "\n"


def attributes(out: Path) -> str:
    """The kinds of files that go to LFS: those of which one is large, and all weights."""
    large = {f"*{p.suffix}" for p in out.rglob("*") if p.is_file() and p.stat().st_size > LARGE}
    names = sorted({*LARGE_NAMES, *large})
    return "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in names)


def opening(arguments: argparse.Namespace, hub: str) -> str:
    """What the Space opens with, read by ``launch.py`` when it starts there."""
    import json

    own = hub or f"assets/models/{Path(arguments.model).name}"
    return json.dumps({"model": own, "revision": arguments.revision if hub else None}, indent=1)


def check(out: Path) -> list[str]:
    """Everything the hosting would refuse, a sentence each."""
    problems = checked((out / "README.md").read_text(encoding="utf-8"), out)
    lines = environment.requirement_lines(out / "requirements.txt")
    for line in lines:
        match = environment.REQUIREMENT.fullmatch(line)
        if match is None:
            problems.append(f"requirements.txt: “{line}” is not a plain requirement.")
        elif match.group(1).lower() in BROUGHT:
            problems.append(f"requirements.txt lists {match.group(1)}, which the hosting brings.")
    problems += torch_refused()
    total = 0
    marked = (out / ".gitattributes").read_text(encoding="utf-8")
    for path in (p for p in out.rglob("*") if p.is_file()):
        size = path.stat().st_size
        total += size
        if size > LARGE and f"*{path.suffix} filter=lfs" not in marked:
            problems.append(
                f"{path.relative_to(out)} has {size:,} bytes and is not marked for LFS."
            )
        if path.is_symlink():
            problems.append(f"{path.relative_to(out)} is a link.")
    if total > MOST:
        problems.append(f"The folder has {total / 1e9:.1f} GB; {MOST / 1e9:.1f} GB are taken.")
    return problems


def torch_refused() -> list[str]:
    """Sentences on the hosting's own torch versions that the requirements would not let stand."""
    lines = environment.requirement_lines(ROOT / "requirements.txt")
    bounds = next(line for line in lines if re.match(r"torch[<>=]", line))
    return [
        f"requirements.txt asks for {bounds}, which the hosting's torch {version} does not satisfy."
        for version in LENT_TORCH
        if not environment.satisfies(bounds, version)
    ]
