"""A session file somebody hands in is held to the page's bounds."""

from dataclasses import replace
from types import SimpleNamespace

from core.records.archive import save
from gui.bounds import Bounds
from gui.sessionbar import SessionBar
from gui.visits import Visit


def test_a_file_with_more_runs_than_the_page_keeps_is_refused(engine, trace, tmp_path):
    path = tmp_path / "many.zscope"
    save(path, [replace(trace, id=f"{n:032x}") for n in range(3)])
    visit = Visit(bounds=replace(Bounds.hosted(), branches=2))
    bar = SessionBar.__new__(SessionBar)
    bar.desks = SimpleNamespace(
        visits={"mine": visit}, page=SimpleNamespace(say="say"), sessions=None
    )
    (said,) = bar.on_open("mine", path.read_bytes()).values()
    assert "cannot be opened" in said
    assert "not a list of at most 2" in said
    assert not visit.branches
