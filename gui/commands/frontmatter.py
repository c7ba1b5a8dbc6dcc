"""The front matter of a Space's README: what the hub reads of it, and what it would refuse."""

import re
from pathlib import Path
from typing import Any

from gui.commands import ROOT, environment

COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
HARDWARE = re.compile(r"(cpu|zero|t4|l4|l40s|a10g|a100|h100|h200)[a-z0-9-]*")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
SHORT = 60  # characters of a short description
# Key → whether a value will do; the hub ignores other keys, so one that is not here is a mistake.
SCHEMA: dict[str, Any] = {
    "title": lambda v: isinstance(v, str) and 0 < len(v) <= 100,
    "emoji": lambda v: isinstance(v, str) and 0 < len(v) <= 4 and not v.isascii(),
    "colorFrom": lambda v: v in COLOURS,
    "colorTo": lambda v: v in COLOURS,
    "sdk": lambda v: v == "gradio",
    "sdk_version": lambda v: isinstance(v, str) and bool(re.fullmatch(r"\d+\.\d+\.\d+", v)),
    "python_version": lambda v: isinstance(v, str) and v in ("3.11", "3.12", "3.13"),
    "app_file": lambda v: isinstance(v, str),
    "short_description": lambda v: isinstance(v, str) and 0 < len(v) <= SHORT,
    "license": lambda v: isinstance(v, str) and v.islower(),
    "pinned": lambda v: isinstance(v, bool),
    "fullWidth": lambda v: isinstance(v, bool),
    "header": lambda v: v in ("mini", "default"),
    "suggested_hardware": lambda v: isinstance(v, str) and bool(HARDWARE.fullmatch(v)),
    "startup_duration_timeout": lambda v: bool(re.fullmatch(r"\d+[mh]", str(v))),
    "models": lambda v: _ids(v),
    "datasets": lambda v: _ids(v),
    "preload_from_hub": lambda v: _ids([str(line).split(" ")[0] for line in v]),
    "tags": lambda v: isinstance(v, list) and all(isinstance(tag, str) for tag in v),
    "disable_embedding": lambda v: isinstance(v, bool),
}
NEEDED = ("title", "sdk", "sdk_version", "python_version", "app_file", "short_description")


def _ids(value: Any) -> bool:
    return isinstance(value, list) and all(HUB_ID.fullmatch(str(one)) for one in value)


def read(text: str) -> tuple[dict[str, Any], str]:
    """The front matter of a README, {} where it has none, and the rest of the text."""
    match = re.match(r"---\n(.*?\n)---\n", text, re.DOTALL)
    if match is None:
        return {}, text
    import yaml  # comes with gradio

    try:
        found = yaml.safe_load(match.group(1))
    except yaml.YAMLError:
        return {}, text[match.end() :]
    return (found if isinstance(found, dict) else {}), text[match.end() :]


def written(front: dict[str, Any]) -> str:
    """The front matter as it stands at the top of a README."""
    import yaml

    plain = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{plain}---\n"


def pinned_gradio() -> str:
    """The version of gradio that the requirements pin."""
    lines = environment.requirement_lines(ROOT / "requirements.txt")
    return next(line for line in lines if line.startswith("gradio==")).partition("==")[2]


def checked(text: str, folder: Path) -> list[str]:
    """What the hub would refuse in a README, a sentence each; ``folder`` holds the Space."""
    front, _ = read(text)
    problems = [f"README.md's front matter lacks {key}." for key in NEEDED if key not in front]
    for key, value in front.items():
        if key not in SCHEMA:
            problems.append(f"README.md's front matter has {key}, which the hub does not know.")
        elif not SCHEMA[key](value):
            problems.append(f"README.md's front matter has {key}: {value!r}, which will not do.")
    if front.get("sdk_version") not in (None, pinned_gradio()):
        problems.append(
            f"README.md's sdk_version is {front['sdk_version']} and requirements.txt pins gradio "
            f"{pinned_gradio()}: make them equal."
        )
    if "app_file" in front and not (folder / str(front["app_file"])).is_file():
        problems.append(f"README.md's app_file {front['app_file']} is not in the folder.")
    return problems
