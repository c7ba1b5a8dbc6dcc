"""A few inputs of every sort that ``benchmarks/fuzz.py`` tries by the thousand."""

import importlib.util
from pathlib import Path

import pytest

from tests.fuzz import calls, payloads, pictures, sessions, tables

pytestmark = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
INPUTS = {"edit lists": 12, "arguments of endpoints": 25, "session, made to harm": 6}


@pytest.fixture(scope="module")
def fuzz():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"
    spec = importlib.util.spec_from_file_location("fuzz", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    served = payloads.Site(tmp_path_factory.mktemp("none"))
    yield served
    served.close()


def all_named(fuzz, capsys, kinds, usual):
    for kind in kinds:
        ends, unnamed = fuzz.tried(kind, 7, INPUTS.get(kind.name, usual))
        assert unnamed == 0, capsys.readouterr().out
        assert sum(ends.values()) == INPUTS.get(kind.name, usual)


def test_session_files(fuzz, capsys):
    all_named(fuzz, capsys, sessions.kinds(), 60)


def test_tables_of_items(fuzz, capsys, tmp_path):
    all_named(fuzz, capsys, tables.kinds(tmp_path), 40)


def test_pictures(fuzz, capsys):
    all_named(fuzz, capsys, pictures.kinds(), 300)


def test_calls(fuzz, capsys, tmp_path):
    all_named(fuzz, capsys, calls.kinds(tmp_path), 300)


def test_payloads(fuzz, capsys, site):
    all_named(fuzz, capsys, payloads.kinds(site), 40)


def test_what_is_not_named_is_found(fuzz, capsys):
    from tests.fuzz.kind import Kind

    def breaks(given):
        raise ZeroDivisionError("of our own making")

    _, unnamed = fuzz.tried(Kind("broken", lambda draw: draw.random(), breaks), 0, 5)
    assert unnamed == 5
    said = capsys.readouterr().out
    assert said.count("UNNAMED broken:") == fuzz.SHOWN
    assert "test_short.py" in said
