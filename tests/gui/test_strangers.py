"""A second visitor with the first one's address, payload, names or ids gets nothing of theirs."""

import errno
import gc
import json
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from gui import app
from gui.bounds import Bounds
from gui.doorway import COOKIE
from tests.gui.fake_engine import KINDS, gallery
from tests.gui.holding import HoldingEngine
from tests.gui.visitor import Refused, Visitor

pytestmark = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
SECRET = "Which colour did only the first visitor ask about?"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    options = app.Options(port=None, model="stand-in", bounds=Bounds.hosted())
    nothing = tmp_path_factory.mktemp("models")
    page = app.build(options, lambda _: HoldingEngine(), gallery, lambda: KINDS, nothing)
    page.address = app.launch(page, options)
    page.workshop.start()
    assert page.workshop.done.wait(60)
    yield page
    page.close(verbose=False)


@pytest.fixture
def first(site):
    visitor = Visitor(site.address)
    visitor.enter()
    visitor.open()
    visitor.do("run", question=SECRET)
    visitor.do("apply", edit_kind="zero", edit_steps="all")
    (visitor.visit,) = [v for v in site.visits._visits.values() if v.asked == SECRET]
    yield visitor
    visitor.close()
    site.visits.close(visitor.session)


@pytest.fixture
def second(site):
    visitor = Visitor(site.address)
    visitor.enter()
    visitor.open()
    yield visitor
    visitor.close()
    site.visits.close(visitor.session)


def test_guessed_ids_lead_nowhere(site, first, second):
    (mine,) = [v for v in site.visits._visits.values() if v.asked != SECRET]
    before = dict(mine.branches)
    for id in first.visit.branches:
        for act in ("show", "compare", "rename", "delete"):
            said = second.do("tree", "act", {"act": act, "id": id, "text": "taken"})
            assert SECRET not in "".join(said)
        with pytest.raises(Refused, match="not in the list of choices"):
            second.do("apply", edit_kind="swap", edit_steps="all", edit_donor=f"branch:{id}")
        panel = site.desks.page.panel
        assert panel.donor_trace(f"branch:{id}", mine, site.workshop) in (None, mine.baseline)
    assert set(before) <= set(mine.branches)
    assert not set(first.visit.branches) & set(mine.branches) - {site.workshop.example(0).id}
    assert not any(b.title == "taken" for b in first.visit.branches.values())
    assert len(first.visit.branches) == 2


def test_a_key_in_a_payload_is_not_believed(site, first, second):
    key = next(k for k, v in site.visits._visits.items() if v is first.visit)
    control = second.control("run", "click")
    row = [second.values.get(i) for i in control["inputs"]]
    row[0], row[1] = key, "Mine now?"
    said = [json.dumps(m) for m in second._send(control, row, None)]
    assert SECRET not in "".join(said)
    assert first.visit.asked == SECRET


LONG_WORK = ("on_build", "on_start")  # what these begin goes on behind the tests that follow


def test_no_control_of_any_tab_gives_a_stranger_another_s_run(site, first, second):
    """Each is worked with the id of the first visitor's newest run in every place there is."""
    visit = first.visit
    id = list(visit.branches)[-1]
    before = [(each, b.title) for each, b in visit.branches.items()], visit.base, visit.shown
    worked = set()
    for control in second.config["dependencies"]:
        name = str(control["api_name"])
        events = {event for _, event in control["targets"]}
        if not control["backend_fn"] or name.startswith(LONG_WORK) or "unload" in events:
            continue
        kinds = [second.parts[i]["type"] for i in control["inputs"]]
        row = [
            id if kind in ("state", "textbox", "api") else second.values.get(i)
            for i, kind in zip(control["inputs"], kinds, strict=True)
        ]
        told = {
            "id": id, "act": "show", "text": id, "name": id, "path": id, "index": 0, "span": 0,
            "steps": [0], "order": 1e9, "row": 0, "column": 0, "by": 1, "layer": None,
            "head": None, "method": "cosine", "points": [[0, 0, id, "", "", ""]],
        }  # fmt: skip
        try:
            said = json.dumps(list(second._send(control, row, told)), ensure_ascii=False)
        except Refused as refusal:
            said = str(refusal)
        assert SECRET not in said, name
        worked.add(name)
    assert len(worked) > 40  # the Studio, the Atlas, sweeps, studies, Compare, the Guide
    assert (
        [(each, b.title) for each, b in visit.branches.items()],
        visit.base,
        visit.shown,
    ) == before
    assert visit.asked == SECRET


def test_long_work_is_its_visitor_s_alone(site, first, second):
    """What begins a study or a bank is worked with another's ids; a study is neither seen nor
    stopped by anybody else."""
    visit, stopped = first.visit, []

    class Theirs:
        """A study of the first visitor; whoever looks at it or stops it leaves a trace."""

        def __getattr__(self, name):
            stopped.append(name)
            raise AssertionError(SECRET)

    visit.beside["study"] = visit.beside["sweep"] = Theirs()
    ids = [*visit.branches, next(k for k, v in site.visits._visits.items() if v is visit)]
    begun = set()
    for control in second.config["dependencies"]:
        name = str(control["api_name"])
        if not control["backend_fn"] or not name.startswith((*LONG_WORK, "on_stop", "on_show")):
            continue
        for id in ids:
            row = [
                id if second.parts[i]["type"] in ("state", "textbox", "file") else
                second.values.get(i)
                for i in control["inputs"]
            ]  # fmt: skip
            try:
                said = json.dumps(list(second._send(control, row, {"id": id})), ensure_ascii=False)
            except Refused as refusal:
                said = str(refusal)
            assert SECRET not in said, name
        begun.add(name)
    for name in ("study", "sweep"):
        del visit.beside[name]
    assert not stopped
    assert any(name.startswith("on_start") for name in begun)
    assert len(visit.branches) == 2
    for other in list(site.visits._visits.values()):
        job = other.beside.pop("study", None)
        if job is not None:
            job.stop()


def test_what_programs_and_assistants_may_call_reaches_no_visitor_s_runs(site, first):
    from tests.gui.test_tools import at

    page = SimpleNamespace(address=site.address.rstrip("/"))
    ids = [*first.visit.branches, next(k for k, v in site.visits._visits.items()
                                       if v is first.visit)]  # fmt: skip
    for id in ids:
        swap = [{"kind": "swap", "donor": id}]
        for name, words in (
            ("run", {"question": "x", "model": id}),
            ("run", {"question": "x", "image": id}),
            ("branch", {"example": 1, "edits": swap}),
            ("branch", {"example": 1, "edits": [{"kind": "swap", "donor": f"branch:{id}"}]}),
            ("score", {"options": [id], "example": 1, "edits": swap}),
            (id, {}),
        ):
            given = at(page, lambda session, n=name, w=words: session.call_tool(n, w))
            assert given.isError, (name, words)
            assert SECRET not in given.content[0].text
    for name in ("models", "examples"):
        said = at(page, lambda session, n=name: session.call_tool(n, {})).content[0].text
        assert SECRET not in said
        assert not any(id in said for id in ids if site.workshop.example_of(id) is None)
    assert len(first.visit.branches) == 2


def test_the_name_of_a_tab_is_its_browser_s_alone(site, first, second):
    thief = Visitor(site.address, session=first.session)
    thief.enter()
    for attempt in (
        lambda: thief.do("strip", "undo", {}),
        lambda: thief.do("run", question="Mine now?"),
        lambda: thief.do("session-save"),
    ):
        with pytest.raises(Refused, match="belongs to another browser"):
            attempt()
    for path in ("queue/data?session_hash=" + first.session, "heartbeat/" + first.session):
        assert thief.http.get(f"{thief.base}/gradio_api/{path}").status_code == 403
    thief.close()
    naked = httpx.get(f"{thief.base}/gradio_api/queue/data?session_hash={first.session}")
    assert naked.status_code == 403
    assert first.visit.asked == SECRET
    assert SECRET in "".join(first.do("strip", "undo", {})) or first.visit.branches


def test_the_name_of_a_tab_is_found_wherever_it_is_written(site, first, second):
    """Gradio reads the last of two names in an address, the body's before the address's, any
    spelling of a content type, and a tab's news also where those of a single call are told."""
    theirs, mine = first.session, second.session
    control = first.control("session-save", "click")
    body = {"data": [None], "fn_index": control["id"], "session_hash": theirs}
    posts = [
        (f"{path}?session_hash={mine}", kind, body)
        for path in ("queue/join", "run/predict", "api/predict")
        for kind in ("application/json", "application/JSON", "Application/x+Json; charset=utf-8")
    ]
    posts.append(("cancel", "application/JSON", {**body, "event_id": "x"}))
    for path, kind, payload in posts:
        sent = json.dumps(payload).encode()
        answer = second.http.post(
            f"{second.base}/gradio_api/{path}", content=sent, headers={"content-type": kind}
        )
        assert answer.status_code == 403, (path, kind, answer.text)
    for path in (
        f"queue/data?session_hash={mine}&session_hash={theirs}",
        f"queue/data?session_hash={theirs}&session_hash={mine}",
        f"call/run/{theirs}", f"call/v2/run/{theirs}", f"call/run/{theirs}/",
    ):  # fmt: skip
        answer = second.http.get(f"{second.base}/gradio_api/{path}")
        assert answer.status_code == 403, path
    assert first.visit.asked == SECRET


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=https://example.org/x", "gradio_api/file=HTTP://example.org/x",
        "gradio_api/proxy=https://example.hf.space/x", "gradio_api/deep_link?session_hash=x",
        "gradio_api/stream/x/0/1/playlist.m3u8", "gradio_api/custom_component/a/client/b/c",
        "gradio_api/run-history/buckets", "monitoring/summary", "monitoring",
    ],
)  # fmt: skip
def test_what_gradio_offers_beside_the_page_is_closed(site, path):
    answer = httpx.get(f"{site.address.rstrip('/')}/{path}")
    assert answer.status_code == 404
    assert "nothing at this address" in answer.text


def test_server_functions_and_videos_are_closed(site):
    for path in ("component_server", "process_recording", "stream/x", "vibe-edit"):
        answer = httpx.post(f"{site.address.rstrip('/')}/gradio_api/{path}", files={"f": b"x"})
        assert answer.status_code == 404, path


@pytest.mark.parametrize("path", ["https://example.org/a.zscope", "HTTP://127.0.0.1:9/x"])
def test_nothing_that_is_sent_makes_this_machine_fetch(site, second, path, monkeypatch):
    async def fetched(*anything, **more):
        raise AssertionError("fetched")

    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", fetched)
    control = second.control("session-open", "upload")
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    row = [file if second.parts[i]["type"] == "uploadbutton" else None for i in control["inputs"]]
    assert file in row
    with pytest.raises(Refused, match="fetches nothing from the web"):
        list(second._send(control, row, None))
    hidden = json.dumps({"data": row, "session_hash": second.session, "fn_index": control["id"]})
    hidden = hidden.replace('"path"', '"\\u0070ath"').replace("http", "\\u0068ttp")
    answer = second.http.post(
        f"{second.base}/gradio_api/queue/join",
        content=hidden, headers={"content-type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 400


def test_a_name_that_one_visitor_made_up_is_not_told_to_another(site):
    address = f"{site.address.rstrip('/')}/gradio_api/info"
    made_up = httpx.get(address, headers={"x-forwarded-host": "evil.example"})
    assert made_up.status_code == 200
    assert "evil.example" not in httpx.get(address).text


def test_other_sites_send_nothing_to_this_machine(site):
    own = site.address.rstrip("/")
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"):
        for path, sent in (
            ("queue/join", {"json": {"data": []}}),
            ("upload", {"files": {"files": ("a.png", b"x")}}),
        ):
            answer = httpx.post(f"{own}/gradio_api/{path}", headers={"origin": origin}, **sent)
            assert answer.status_code == 403, (origin, path)
            assert "other sites" in answer.text
    assert httpx.get(own, headers={"origin": own}).status_code == 200
    sent = httpx.post(f"{own}/gradio_api/reset", json={"event_id": "x"}, headers={"origin": own})
    assert sent.status_code == 200


def test_an_upload_of_many_files_is_held_to_one_s_size(site):
    part = b"x" * (6 * 1_000_000)
    files = [("files", (f"{n}.bin", part)) for n in range(5)]  # 20 MB are taken, 27 as base64
    answer = httpx.post(f"{site.address.rstrip('/')}/gradio_api/upload", files=files)
    assert answer.status_code == 413
    assert "larger than this page takes" in answer.text


def test_an_upload_onto_a_full_disk_is_one_sentence(site, monkeypatch):
    async def full(*anything):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    address = f"{site.address.rstrip('/')}/gradio_api/upload"
    with monkeypatch.context() as patched:
        patched.setattr("gradio.route_utils.GradioUploadFile.write", full)
        answer = httpx.post(address, files={"files": ("a.png", b"x")})
    assert (answer.status_code, answer.headers["connection"]) == (507, "close")
    assert answer.json()["detail"] == "There is no room on the disk of this page."
    assert httpx.post(address, files={"files": ("a.png", b"x")}).status_code == 200


def test_a_saved_session_is_gone_with_the_next_one(site, first):
    def saved():
        return Path(
            *set(re.findall(r'"path": "([^"]+\.zscope)"', "".join(first.do("session-save"))))
        )

    one = saved()
    assert one.is_file()
    two = saved()
    assert two.is_file()
    assert not one.exists()
    left = first.http.get(f"{first.base}/gradio_api/file={two}")
    assert left.status_code == 200
    site.visits.close(first.session)
    first.visit.beside.clear()
    gc.collect()
    assert not two.exists()


def test_the_address_alone_opens_a_page_of_one_s_own(site, first):
    page = httpx.get(site.address)
    assert SECRET not in page.text
    assert first.visit.uri not in page.text
    for id in first.visit.branches:
        assert id not in page.text
    stranger = Visitor(site.address)
    assert SECRET not in "".join(stranger.open("?ex=1"))
    stranger.close()


def test_a_saved_session_lies_where_nobody_finds_it(site, first, second):
    said = "".join(first.do("session-save"))
    (path,) = set(re.findall(r'"path": "([^"]+\.zscope)"', said))
    assert re.search(r"/[0-9a-f]{32,}/", path), path
    listing = second.http.get(f"{second.base}/gradio_api/file={path.rsplit('/', 1)[0]}")
    assert listing.status_code in (403, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "launch.py",
        "../launch.py",
        "gui/app.py",
        "assets/models/faithful/card.json",
        ".git/config",
        "..%2f..%2fetc%2fpasswd",
        "file:///etc/passwd",
        "https://example.org/x",
    ],
)
def test_files_of_this_machine_are_not_served(site, path):
    answer = httpx.get(f"{site.address.rstrip('/')}/gradio_api/file={path}")
    assert answer.status_code in (400, 403, 404), path


def test_every_answer_carries_the_headers(site):
    for path in ("/", "/config", "/gradio_api/info", "/nowhere"):
        found = httpx.get(site.address.rstrip("/") + path).headers
        assert found["x-content-type-options"] == "nosniff"
        assert found["referrer-policy"] == "same-origin"
        assert "default-src 'self'" in found["content-security-policy"]
        assert "http:" not in found["content-security-policy"]


def test_a_foreign_name_for_this_machine_is_not_answered_to(site):
    answer = httpx.get(site.address, headers={"host": "evil.example:7860"})
    assert answer.status_code == 421
    assert httpx.get(site.address, headers={"host": "localhost:7860"}).status_code == 200


def test_a_cookie_is_out_of_reach_of_scripts(site):
    cookie = httpx.get(site.address).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert len(cookie.split(";")[0]) > 32


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'{"session_hash": null}', b'{"session_hash": {"a": 1}}',
        b"[" * 20_000, b'{"data": 1e999}', b"\xff\xfe", b'{"fn_index": -1, "data": []}',
        b'{"fn_index": 99999, "data": [], "session_hash": "x"}',
        b'{"fn_index": "0", "data": {}, "session_hash": "x"}',
    ],
)  # fmt: skip
def test_payloads_that_are_none_are_refused_and_nothing_is_run(site, body):
    steps = site.workshop.engine.steps
    for path in ("queue/join", "run/predict", "run/branch"):
        url = f"{site.address.rstrip('/')}/gradio_api/{path}"
        answer = httpx.post(url, content=body, headers={"content-type": "application/json"})
        assert answer.status_code >= 400, (path, answer.text)
        assert "Traceback" not in answer.text
        assert "/gui/" not in answer.text
    assert site.workshop.engine.steps == steps
    assert httpx.get(site.address).status_code == 200


def test_a_closed_tab_ends_its_run_and_leaves_nothing(site):
    visitor = Visitor(site.address)
    visitor.enter()
    visitor.stay()
    visitor.open()
    key = next(reversed(site.visits._visits))
    visit = site.visits.get(key)
    site.workshop.engine.pause = 0.3
    try:
        messages = visitor.watch("run", question="What colour is the disc?")
        next(messages)
        next(messages)
        messages.close()
        visitor.close()
        ended = time.monotonic() + 30
        while (key in site.visits._visits or visit.going) and time.monotonic() < ended:
            time.sleep(0.05)
    finally:
        site.workshop.engine.pause = 0.0
    assert key not in site.visits._visits
    assert not visit.going
    assert len(site.workshop.line) == 0
    steps = site.workshop.engine.steps
    time.sleep(0.5)
    assert site.workshop.engine.steps == steps  # no run goes on without anybody
    examples = {run.id for run in site.workshop._runs.values()}
    assert not set(visit.branches) - examples & set(site.workshop.engine.store._held)


@pytest.mark.parametrize("value", [["propagate", "pinned"], [], {"a": 1}, 3, None, "pinned"])
def test_a_choice_that_is_none_is_refused_in_a_sentence(site, second, value):
    control = second.control("edit-mode", "change")
    (answer,) = list(second._send(control, [value], None))[-1:] if value in (None, "pinned") else [
        refused(second, control, value)
    ]  # fmt: skip
    assert "unhashable" not in json.dumps(answer)
    assert "KeyError" not in json.dumps(answer)


def refused(visitor, control, value):
    with pytest.raises(Refused, match=r"never sends by itself|not in the list of choices") as said:
        list(visitor._send(control, [value], None))
    return str(said.value)
