"""Houses in which launch.py is started."""

import shutil
from pathlib import Path

import pytest

from tests.launch.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.build(tmp_path / "house")


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, str]:
    """A house after its first start, with what that start printed."""
    built = House.build(tmp_path_factory.mktemp("first") / "house")
    done = built.run()
    assert done.returncode == 0, done.stderr
    return built, done.stdout


@pytest.fixture
def furnished(first_start: tuple[House, str], tmp_path: Path) -> House:
    """A copy of a house whose private environment is whole."""
    shutil.copytree(first_start[0].folder, tmp_path / "house", symlinks=True)
    return House(tmp_path / "house")
