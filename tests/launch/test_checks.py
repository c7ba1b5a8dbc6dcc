"""launch.py test: the checks, in their order, and what they run on."""

import os
from pathlib import Path

import pytest

from gui.commands import test as test_command
from tests.launch.house import ROOT, House


@pytest.fixture
def checkers(house: House) -> dict[str, str]:
    """Variables under which ruff, mypy and pytest only say how they were called."""
    have = house.satisfied()
    for name in ("ruff", "mypy", "pytest"):
        told = (
            "import os, sys\n"
            f"print({name!r}, *sys.argv[1:], os.environ['OMP_NUM_THREADS'], flush=True)\n"
            f"sys.exit(3 if os.environ.get('FAILING') == {name!r} else 0)\n"
        )
        (Path(have["PYTHONPATH"]) / f"{name}.py").write_text(told)
    return have


def test_the_checks_run_in_order_and_pytest_has_the_last_word(
    house: House, checkers: dict[str, str]
):
    done = house.run("test", "-k", "a or b", "tests/x.py", **checkers)
    assert done.returncode == 0
    called = [line for line in done.stdout.splitlines() if not line.startswith("---")]
    assert called[-4:] == [
        "ruff check . 1",
        "ruff format --check . 1",
        "mypy core 1",
        "pytest -k a or b tests/x.py 1",
    ]
    assert sum(line.endswith(" s") for line in done.stdout.splitlines()) == 3
    assert done.stdout.splitlines()[-1] == called[-1]


@pytest.mark.parametrize("failing", ["ruff", "mypy", "pytest"])
def test_the_first_failing_check_ends_the_run_with_its_code(
    house: House, checkers: dict[str, str], failing: str
):
    done = house.run("test", FAILING=failing, **checkers)
    assert done.returncode == 3
    order = ["ruff", "mypy", "pytest"]
    for later in order[order.index(failing) + 1 :]:
        assert f"{later} " not in done.stdout.replace("--- ", "")


def test_ci_runs_what_the_readme_says():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "python3 launch.py test" in script.read_text()
    assert "python launch.py test" in (ROOT / "README.md").read_text()


def test_a_browser_that_playwright_fetched_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    program = tmp_path / "chromium-1234" / "chrome-linux64" / "chrome"
    program.parent.mkdir(parents=True)
    program.touch()
    assert test_command.find_chromium() == str(program)


def test_tests_run_on_one_thread():
    import torch

    assert torch.get_num_threads() == 1
