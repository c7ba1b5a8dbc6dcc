"""The house rules that hold for every file: who may import whom, and what the words may say."""

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import launch
from core import families
from gui.commands import environment

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# What each room of core/ may import from core/. The main line runs downward:
# study → measures → edits → engine → families → records. Scenes are pictures and stand beside
# it; training uses the engine to make models, and the statistics to write their cards.
ROOMS = {
    "errors": set(),
    "records": {"errors"},
    "families": {"errors", "records"},
    "engine": {"errors", "records", "families"},
    "edits": {"errors", "records", "families", "engine"},
    "measures": {"errors", "records", "families", "engine", "edits"},
    "scenes": {"errors", "records"},
    "training": {"errors", "records", "families", "engine", "edits", "measures", "scenes"},
    "study": {"errors", "records", "families", "engine", "edits", "measures", "scenes"},
}
PAGE_LIBRARIES = {"gradio", "gradio_client", "gui", "launch", "spaces", "tests"}


def imports(file: Path) -> set[str]:
    """Every module the file imports anywhere, also inside functions, as absolute names."""
    package = file.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def tracked_texts() -> dict[Path, str]:
    """The text files under version control; binary ones are left out."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is not under version control")
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        try:
            texts[Path(name)] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    return texts


def test_core_never_imports_the_page():
    for file in python_files("core"):
        roots = {name.partition(".")[0] for name in imports(file)}
        assert not roots & PAGE_LIBRARIES, file


def test_every_room_of_core_has_its_place():
    rooms = {path.relative_to(ROOT / "core").parts[0] for path in python_files("core")}
    assert {room.removesuffix(".py") for room in rooms} - {"__init__"} <= set(ROOMS)


def test_no_import_in_core_runs_upward():
    upward = []
    for file in python_files("core"):
        room = file.relative_to(ROOT / "core").parts[0].removesuffix(".py")
        if room == "__init__":  # the public face ties the rooms together
            continue
        used = {name.split(".")[1] for name in imports(file) if re.match(r"core\.\w", name)}
        # What is taken from the face itself (`from core import Edit`) may come from any room.
        allowed = ROOMS[room] | {room}
        upward += [f"{file.relative_to(ROOT)} imports core.{one}" for one in used - allowed]
        if "core" in imports(file) and not used <= set(ROOMS):
            upward.append(f"{file.relative_to(ROOT)} imports the public face")
    assert not upward


def test_upward_imports_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "core" / "records" / "trace.py"
    file.parent.mkdir(parents=True)
    file.write_text("def late():\n    from ..engine import machine\n    import core.edits.zero\n")
    with pytest.raises(AssertionError, match=r"core\.(engine|edits)"):
        test_no_import_in_core_runs_upward()
    file.write_text("from core import Edit\n")
    with pytest.raises(AssertionError, match=r"core\.Edit"):
        test_no_import_in_core_runs_upward()
    file.write_text("import gradio\n")
    with pytest.raises(AssertionError):
        test_core_never_imports_the_page()


def test_readme_commands_exist():
    blocks = re.findall(r"```\w*\n(.*?)```", README, flags=re.DOTALL)
    commands = [
        shlex.split(line, comments=True)
        for line in "".join(blocks).splitlines()
        if re.match(r"python3? launch\.py", line)
    ]
    assert ["python", "launch.py"] in commands
    assert ["python", "launch.py", "test"] in commands
    for command in commands:
        if command[-1] == "--help":
            with pytest.raises(SystemExit, match="0"):
                launch.parse(command[2:])
        else:
            launch.parse(command[2:])


def test_readme_python_is_the_public_face():
    import core

    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id == "core":
                    assert hasattr(core, node.attr), node.attr
                if node.value.id == "engine":
                    assert hasattr(core.engine.Engine, node.attr), node.attr


@pytest.mark.parametrize("name", families.names())
def test_readme_says_what_each_family_needs(name: str):
    family = families.get(name)
    latents = str(family.budget) if family.latent else "none"
    if family.imagines_in_words:
        latents = "in words"
    needs = family.needs.replace("<", "&lt;")  # Markdown would take <answer> for HTML
    columns = [f"`{name}`", family.title, ", ".join(family.checkpoints), latents, needs]
    assert f"| {' | '.join(columns)} |\n" in README


def test_readme_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#\s]+)", README):
        assert "://" in target or (ROOT / target).exists(), target


def test_the_space_takes_the_gradio_that_is_pinned():
    front = re.match(r"---\n(.*?)\n---\n", README, flags=re.DOTALL)
    said = (
        re.search(r"^sdk_version:\s*\"?([\d.]+)", front[1], flags=re.MULTILINE) if front else None
    )
    if said is None:
        pytest.skip("the README has no front matter of a Space")
    assert f"gradio=={said[1]}" in environment.requirement_lines(ROOT / "requirements.txt")


def test_nothing_speaks_of_the_machine_it_was_written_on():
    # Put together here, so that this file does not contain what it looks for.
    places = "|".join(("work", "root", "farm", "home/[a-z]", "Users/[a-z]"))
    forbidden = re.compile(rf"(?<![\w.~*}}])/(?:{places})[/\w]|/tmp/[a-z]+/")
    said = [
        f"{path}:{number}: {line.strip()}"
        for path, text in tracked_texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if forbidden.search(line)
    ]
    assert not said


def test_no_unfinished_marks():
    marks = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)))
    said = [
        f"{path}:{number}"
        for path, text in tracked_texts().items()
        if path.suffix == ".py"
        for number, line in enumerate(text.splitlines(), 1)
        if marks.search(line)
    ]
    assert not said
