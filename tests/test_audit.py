"""The audit of what is installed says what it found, or that it was not done, and no more."""

import json
import subprocess

import pytest

from gui.commands import audit

CLEAN = {"name": "numpy", "version": "2.0", "vulns": []}
WEAK = {"name": "pillow", "version": "9.0", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]}
UNKNOWN = {"name": "own", "skip_reason": "not on the index"}


@pytest.fixture
def answers(monkeypatch):
    """What pip-audit, taken as installed, does when it is asked."""
    monkeypatch.setattr(audit, "find_spec", lambda name: object())

    def set_to(act):
        monkeypatch.setattr(audit.subprocess, "run", act)

    return set_to


def test_without_pip_audit_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(audit, "find_spec", lambda name: None)
    monkeypatch.setattr(audit.subprocess, "run", None)
    assert audit.audit() == "not done: pip-audit is not installed"


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        ([CLEAN], "no known weakness in 1 packages"),
        ([CLEAN, UNKNOWN], "no known weakness in 1 packages, 1 could not be looked up"),
        ([UNKNOWN, UNKNOWN], "not done: none of 2 packages could be looked up"),
        ([CLEAN, WEAK], "known weaknesses in pillow 9.0 (CVE-1, CVE-2)"),
    ],
)
def test_what_was_found_is_one_line(answers, packages, said):
    text = json.dumps({"dependencies": packages})
    answers(lambda command, **more: subprocess.CompletedProcess(command, 1, text, ""))
    assert audit.audit() == said


@pytest.mark.parametrize("text", ["", "no route to host", "[]", "{}", '{"dependencies": [3]}'])
def test_an_answer_that_is_none_is_no_failure(answers, text):
    answers(lambda command, **more: subprocess.CompletedProcess(command, 1, text, "error"))
    assert audit.audit() == "not done: the service could not be reached"


def test_a_service_that_is_silent_is_not_waited_for(answers):
    def silent(command, timeout, **more):
        raise subprocess.TimeoutExpired(command, timeout)

    answers(silent)
    assert audit.audit() == f"not done: no answer within {audit.PATIENCE} s"


def test_the_checks_say_it_and_go_on(answers, monkeypatch, capsys):
    from types import SimpleNamespace

    from gui.commands import test

    monkeypatch.setattr(test, "find_chromium", lambda: "chromium")
    monkeypatch.setattr(test, "audit", lambda: "known weaknesses in everything")
    monkeypatch.setattr(test.subprocess, "run", lambda *a, **k: SimpleNamespace(returncode=0))
    assert test.run(SimpleNamespace(pytest=[])) == 0
    assert "known weaknesses in everything" in capsys.readouterr().out


def test_the_kept_report_is_told_with_its_day_and_what_changed_since(tmp_path):
    kept = json.loads(audit.RECORD.read_text(encoding="utf-8"))
    assert audit.recorded().startswith(f"recorded on {kept['date']}: {kept['said']}")
    assert {"torch", "gradio", "transformers"} <= set(kept["packages"])
    path = tmp_path / "audit.json"
    assert audit.recorded(path) == "no recorded report"
    path.write_text(json.dumps({**kept, "packages": {}}))
    assert "installed packages are not as recorded" in audit.recorded(path)
    path.write_text("[]")
    assert audit.recorded(path) == "no recorded report"
