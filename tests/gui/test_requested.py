"""What a request may bring: how much, how slowly, and how much all of them together."""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gui import folders, requested
from gui.requested import Intake, Unwelcome, body_of, limited, plain_of, tabs_of


def arriving(*parts, then=None):
    """A ``receive`` that gives these parts of a body, and then waits or gives ``then``."""
    left = [
        {"type": "http.request", "body": part, "more_body": n + 1 < len(parts) or then == "still"}
        for n, part in enumerate(parts)
    ]

    async def receive():
        if left:
            return left.pop(0)
        if then != "gone":
            await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    return receive


def done(work):
    """What comes of a coroutine, run aside: the browser's tests leave a loop in this thread."""
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work).result()


def test_a_body_is_taken_whole():
    assert done(body_of(arriving(b"ab", b"cd"), 4)) == b"abcd"
    assert done(body_of(arriving(then="gone"), 4)) == b""


def test_a_body_that_grows_too_large_is_given_up_while_it_comes():
    taken = []
    receive = arriving(b"ab", b"cd", b"ef")
    with pytest.raises(Unwelcome, match="larger") as caught:
        done(body_of(receive, 3))
    assert caught.value.status == 413
    assert done(receive())["body"] == b"ef"  # not even asked for
    with pytest.raises(Unwelcome):
        done(limited(arriving(b"abcd"), 3, taken.append)())
    assert taken == [4]


def test_a_body_that_stands_still_is_given_up(monkeypatch):
    monkeypatch.setattr(requested, "STILL", 0.05)
    with pytest.raises(Unwelcome, match="stopped coming") as caught:
        done(body_of(arriving(b"ab", then="still"), 100))
    assert caught.value.status == 408


def test_after_the_body_the_caller_may_stay_as_long_as_they_like(monkeypatch):
    monkeypatch.setattr(requested, "STILL", 0.01)
    told = []

    async def later():
        await asyncio.sleep(0.1)
        return {"type": "http.disconnect"}

    async def all_of_it():
        first = arriving(b"ab")
        bounded = limited(lambda: first() if not told else later(), 100)
        told.append((await bounded())["type"])
        told.append((await bounded())["type"])

    done(all_of_it())
    assert told == ["http.request", "http.disconnect"]


def test_uploads_together_are_bounded_and_room_comes_back(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(requested.time, "monotonic", lambda: now[0])
    intake = Intake(10, 60)
    for _ in range(10):
        intake.take(1)
    with pytest.raises(Unwelcome, match="of late"):
        intake.take(1)
    now[0] = 61.0
    intake.take(10)
    with pytest.raises(Unwelcome):
        intake.take(1)


def test_names_of_tabs():
    def tabs(path, query=b"", plain=None):
        return tabs_of({"path": requested.PREFIX + path, "query_string": query}, plain)

    assert tabs("queue/data", b"session_hash=a&session_hash=b&x=c") == {"a", "b"}
    assert tabs("queue/join", b"session_hash=a", {"session_hash": "b"}) == {"a", "b"}
    assert tabs("heartbeat/a") == tabs("call/run/a") == tabs("call/v2/run/a/") == {"a"}
    assert tabs("run/predict", plain={"session_hash": None}) == tabs("info") == set()
    with pytest.raises(Unwelcome, match="that long"):
        tabs("run/predict", plain={"session_hash": "x" * 1000})


@pytest.mark.parametrize(
    "body", [b"{", b'{"a":' * 100_000, b"1e999", b"NaN", b'"\\ud800"', b"\xff"]
)
def test_what_is_no_json_is_refused(body):
    with pytest.raises(Unwelcome, match="no JSON") as caught:
        plain_of(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"null", b"[]", b"3", b'"text"', b'[{"data": []}]'])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(Unwelcome, match="no JSON object"):
        plain_of(body)


def test_one_long_text_is_taken_and_many_values_are_not():
    picture = requested.json.dumps({"data": ["A" * 3_000_000, "What?"]}).encode()
    assert len(plain_of(picture)["data"][0]) == 3_000_000
    for values in (b"[]", b"{}", b"1", b'""'):
        with pytest.raises(Unwelcome, match="more values") as caught:
            plain_of(b'{"data": [' + b",".join([values] * (requested.MANY + 1)) + b"]}")
        assert caught.value.status == 413


def test_a_question_may_name_an_address_of_the_web():
    said = {"data": ["What is at https://example.org?", {"text": "http://x"}], "path": None}
    assert plain_of(requested.json.dumps(said).encode()) == said


def test_uploads_that_were_broken_off_are_cleared(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "a.png").write_bytes(b"x")
    (tmp_path / "tmpold").write_bytes(b"x")
    (tmp_path / "tmpnew").write_bytes(b"x")
    old = time.time() - 2 * folders.STRAY
    for path in (tmp_path / "tmpold", tmp_path / "whole" / "a.png"):
        os.utime(path, (old, old))
    assert folders.clear_strays(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.png", "tmpnew", "whole"]
    assert folders.clear_strays(tmp_path / "nowhere") == 0


def test_uploads_lie_apart_from_other_programs(monkeypatch, tmp_path):
    monkeypatch.setenv(folders.VARIABLE, str(tmp_path))
    assert folders.keep_uploads_apart() is None
    monkeypatch.setenv(folders.VARIABLE, "")
    monkeypatch.setattr(folders.tempfile, "tempdir", str(tmp_path))
    own = folders.keep_uploads_apart()
    assert own is not None
    assert own.parent == tmp_path
    assert own.stat().st_mode & 0o777 == 0o700
    assert os.environ[folders.VARIABLE] == str(own)
    served = folders.Folder(served=True)
    assert served.path.parent == own
    assert len(served.path.name) == 64
    served_path = served.path
    del served
    assert not served_path.exists()
