import json
import logging

from gui import logbook
from gui.commands import doctor
from gui.desk import sentence_of
from launch import parse

SECRET = "what a visitor asked, and a password"


def fail(times=1):
    for _ in range(times):
        try:
            raise RuntimeError(SECRET)
        except RuntimeError as error:
            sentence_of(error)


def test_errors_are_kept_without_what_they_said(tmp_path, capsys):
    path = logbook.keep_in(tmp_path / "log")
    fail()
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as cause:
            raise ValueError(SECRET) from cause
    except ValueError as error:
        logbook.note(error)
    first, second = logbook.last(tmp_path / "log")
    assert first["error"] == "RuntimeError"
    assert first["through"][-1].endswith(" fail")
    assert (second["error"], second["cause"]) == ("ValueError", "KeyError")
    assert SECRET not in path.read_text()
    path.write_text(path.read_text() + "{damaged\n")
    assert len(logbook.last(tmp_path / "log")) == 2
    logbook.keep_in(None)
    fail()
    assert len(logbook.last(tmp_path / "log")) == 2


def test_the_files_stay_few_and_small(tmp_path, monkeypatch):
    monkeypatch.setattr(logbook, "SIZE", 2000)
    logbook.keep_in(tmp_path)
    fail(60)
    logbook.keep_in(None)
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == ["errors.jsonl", *(f"errors.jsonl.{i}" for i in range(1, logbook.FILES + 1))]
    assert all(p.stat().st_size <= 2000 for p in tmp_path.iterdir())
    assert logbook.last(tmp_path, 5)


def test_a_disk_that_takes_nothing_costs_the_line_alone(tmp_path):
    (tmp_path / "taken").touch()
    assert logbook.keep_in(tmp_path / "taken") is None
    logbook.keep_in(tmp_path / "log")
    (tmp_path / "log").rmdir()
    fail()
    logbook.keep_in(None)
    assert logging.getLogger("zscope.errors").handlers


def test_the_report_has_versions_and_errors_and_nothing_of_anybody(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gui.places.state_folder", lambda: tmp_path)
    logbook.keep_in(tmp_path / "log")
    fail()
    logbook.keep_in(None)
    command, flags = parse(["doctor", "--report", str(tmp_path / "report.json")])
    assert command is doctor
    assert command.run(flags) == 0
    text = (tmp_path / "report.json").read_text()
    found = json.loads(text)
    assert "torch" in found["versions"]
    assert found["errors"][0]["error"] == "RuntimeError"
    assert SECRET not in text
