"""Compiled code is kept between processes, in a folder of the user's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.measures import compiled
from core.measures.compiled import cache_folder, load_umap

ROOT = Path(__file__).resolve().parents[3]

# A process in which umap is a module of one jitted function, loaded as the real one is.
PROCESS = """
import sys
sys.path[:0] = [{root!r}, {stand_in!r}]
from core.measures.compiled import load_umap
umap = load_umap()
assert umap.twice(3) == 6
print(sum(umap.twice.stats.cache_hits.values()), sum(umap.twice.stats.cache_misses.values()))
"""


def run(folder: Path, stand_in: Path) -> str:
    script = PROCESS.format(root=str(ROOT), stand_in=str(stand_in))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment["NUMBA_CACHE_DIR"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    folder = tmp_path / "installed"
    (folder / "umap").mkdir(parents=True)
    source = "import numba\n\n@numba.njit\ndef twice(x):\n    return 2 * x\n"
    (folder / "umap" / "__init__.py").write_text(source)
    return folder


def test_the_second_process_does_not_compile(tmp_path: Path, stand_in: Path):
    kept = tmp_path / "kept"
    assert run(kept, stand_in) == "0 1"
    assert list(kept.rglob("*.nbi"))
    assert run(kept, stand_in) == "1 0"
    assert not list(stand_in.rglob("*.nbi"))


def test_a_folder_that_cannot_be_made_only_costs_the_compiling(tmp_path: Path, stand_in: Path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    script = PROCESS.format(root=str(ROOT), stand_in=str(stand_in)).split("print")[0]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(blocked / "below")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_umap_itself_is_kept_there():
    import numba

    plain = numba.njit
    umap = load_umap()
    assert load_umap() is umap
    assert numba.njit is plain
    kept = Path(umap.umap_.compute_membership_strengths.stats.cache_path)
    assert cache_folder() in kept.parents


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ".cache/zscope/compiled"),
        ("linux", {"XDG_CACHE_HOME": "elsewhere"}, "elsewhere/zscope/compiled"),
        ("darwin", {}, "Library/Caches/zscope/compiled"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/zscope/compiled"),
        ("win32", {"NUMBA_CACHE_DIR": "mine"}, "mine"),
    ],
)
def test_the_folder_is_where_the_system_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
):
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(compiled.sys, "platform", platform)
    assert cache_folder().as_posix().endswith(expected)
