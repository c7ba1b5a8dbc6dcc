"""The folder of a Space: what is in it, what the hosting would refuse, and that it starts there."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from gui.commands import ROOT, Mistake, doorkeeper, environment, frontmatter, limits, space
from gui.commands.page import opening, own_models
from gui.hosting import on_lent_gpu, on_space
from launch import parse

if shutil.which("git") is None or not (ROOT / ".git").exists():
    pytest.skip("the folder is made from a checkout", allow_module_level=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("space") / "out"
    command, flags = parse(["space", str(out)])
    assert command.run(flags) == 0
    return out


def test_the_readme_itself_is_a_space_s():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert frontmatter.checked(text, ROOT) == []
    front, body = frontmatter.read(text)
    assert front["sdk_version"] == frontmatter.pinned_gradio()
    assert body.lstrip().startswith("# Zscope")
    assert frontmatter.read(frontmatter.written(front) + body) == (front, body)


def test_the_folder_holds_what_runs_and_no_more(folder):
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {"launch.py", "README.md", "requirements.txt", ".gitattributes", "space.json"} <= names
    assert "assets/models/faithful/config.json" in names
    assert not [n for n in names if n.startswith(("tests/", ".git/", "benchmarks/"))]
    listed = [re.split("[<>=]", line)[0] for line in
              environment.requirement_lines(folder / "requirements.txt")]  # fmt: skip
    assert "transformers" in listed
    assert not {"torch", "gradio", "spaces", "huggingface-hub"} & set(listed)
    assert "*.safetensors filter=lfs" in (folder / ".gitattributes").read_text()


def test_the_hosting_s_own_torch_satisfies_the_requirements():
    assert space.torch_refused() == []
    for version in space.LENT_TORCH:
        assert environment.satisfies("torch>=2.8,<2.14", version)
    assert not environment.satisfies("torch==2.13.0", "2.11.0")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("sdk_version: 6.31.0", "sdk_version: 6.30.0"), "make them equal"),
        (("app_file: launch.py", "app_file: app.py"), "app.py is not in the folder"),
        (("colorFrom: indigo", "colorFrom: mauve"), "colorFrom: 'mauve', which will not do"),
        (("sdk: gradio", "sdk: docker"), "sdk: 'docker'"),
        (("title: Zscope\n", "hardware: zero-a10g\n"), "hardware, which the hub does not know"),
        (("title: Zscope\n", ""), "lacks title"),
        (("short_description: ", "short_description: " + "long " * 20), "short_description"),
        (("---\n", ""), "lacks sdk"),
    ],
)
def test_front_matter_the_hub_would_refuse_is_told(change, sentence):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert change[0] in text
    assert any(sentence in said for said in frontmatter.checked(text.replace(*change, 1), ROOT))


def test_a_folder_the_hosting_would_refuse_is_told(folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "requirements.txt").write_text("torch==2.13.0\n-e .\n")
    (broken / "large.bin").write_bytes(bytes(space.LARGE + 1))
    said = " ".join(space.check(broken))
    for part in ("lists torch, which the hosting brings", "“-e .” is not", "large.bin has"):
        assert part in said


def test_a_model_of_the_hub_is_pinned(tmp_path):
    command, flags = parse(["space", str(tmp_path / "a"), "--model", "owner/model"])
    with pytest.raises(Mistake, match="40 digits with --revision"):
        command.run(flags)
    commit = "ab" * 20
    _, flags = parse(
        ["space", str(tmp_path / "b"), "--model", "owner/model", "--revision", commit,
         "--hardware", "zero-a10g"]
    )  # fmt: skip
    assert command.run(flags) == 0
    front, _ = frontmatter.read((tmp_path / "b" / "README.md").read_text(encoding="utf-8"))
    assert front["models"] == front["preload_from_hub"] == ["owner/model"]
    assert front["suggested_hardware"] == "zero-a10g"
    assert commit in (tmp_path / "b" / "space.json").read_text()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine").touch()
    _, flags = parse(["space", str(tmp_path / "c")])
    with pytest.raises(Mistake, match="not an empty folder"):
        command.run(flags)


def test_where_it_runs_is_read_off_the_environment(monkeypatch):
    for name in ("SPACE_ID", "SYSTEM", "SPACES_ZERO_GPU"):
        monkeypatch.delenv(name, raising=False)
    assert not on_space()
    assert not on_lent_gpu()
    monkeypatch.setenv("SYSTEM", "spaces")
    assert on_space()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert on_lent_gpu()


def test_strangers_do_not_choose_what_is_loaded():
    _, flags = parse([])
    assert own_models(flags, "127.0.0.1", False)
    assert not own_models(flags, "0.0.0.0", False)
    assert not own_models(flags, "127.0.0.1", True)
    _, flags = parse(["--share"])
    assert not own_models(flags, "127.0.0.1", False)
    _, flags = parse(["--own-models", "yes"])
    assert own_models(flags, "0.0.0.0", True)


def test_what_the_space_opens_with(monkeypatch, tmp_path):
    monkeypatch.setattr("gui.commands.page.ROOT", tmp_path)
    _, flags = parse([])
    opening(flags)
    (tmp_path / "space.json").write_text('{"model": "owner/model", "revision": "abc"}')
    opening(flags)
    assert (flags.model, flags.revision) == ("owner/model", "abc")
    (tmp_path / "space.json").write_text("{")
    with pytest.raises(Mistake, match="damaged"):
        opening(flags)


def test_every_limit_has_its_flag():
    _, flags = parse(["--max-question", "9", "--idle", "5"])
    assert (limits.from_flags(flags, False).question, limits.from_flags(flags, True).idle) == (9, 5)
    assert limits.from_flags(flags, True).branches < limits.from_flags(flags, False).branches
    with pytest.raises(Mistake, match="no number"):
        parse(["--max-upload", "-1"])


def test_a_name_and_a_password(monkeypatch, tmp_path):
    assert doorkeeper.from_flag(None) is None
    (tmp_path / "who").write_text("# us\nann:secret:with:colons\nbob:other\n")
    monkeypatch.setenv(doorkeeper.VARIABLE, "cat:from the environment")
    for given, user, password in (
        ("ann:pass", "ann", "pass"),
        (f"@{tmp_path / 'who'}", "ann", "secret:with:colons"),
        (f"@{tmp_path / 'who'}", "bob", "other"),
        ("env", "cat", "from the environment"),
    ):
        admits = doorkeeper.from_flag(given)
        assert admits(user, password)
        for wrong in ((user, password + "x"), (user, ""), ("zoe", password), ("", "")):
            assert not admits(*wrong)
    assert doorkeeper.VARIABLE not in os.environ
    for given in ("secret", ":", "ann:", ":secret", "@/nowhere/at/all", "env"):
        with pytest.raises(Mistake) as caught:
            doorkeeper.from_flag(given)
        assert "secret" not in str(caught.value)


def test_the_folder_starts_as_a_space(folder, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path / "home"
    home.mkdir()
    clean = {
        "PATH": os.environ["PATH"], "HOME": str(home), "SPACE_ID": "owner/zscope",
        "SYSTEM": "spaces", "OMP_NUM_THREADS": "1", "GRADIO_TEMP_DIR": str(tmp_path / "uploads"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "launch.py", "--port", str(port)],
            cwd=folder, env=clean, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        ended = time.monotonic() + 120
        while time.monotonic() < ended and process.poll() is None:
            try:
                page = httpx.get(address)
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        else:
            pytest.fail(log.read_text())
        assert page.status_code == 200
        assert (
            "frame-ancestors 'self' https://huggingface.co"
            in page.headers["content-security-policy"]
        )
        assert "x-frame-options" not in page.headers
        assert "SameSite=None; Secure; Partitioned" in page.headers["set-cookie"]
        from gradio_client import Client

        client = Client(address, verbose=False)
        names = [m["name"] for m in client.predict(api_name="/models")]
        assert "faithful" in names
        said = client.predict(
            example=1, edits=[{"kind": "zero"}], model="faithful", api_name="/branch"
        )
        assert said["baseline"]["answer"]
        assert said["receipts"][0]["kind"] == "zero"
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    assert code == 0, log.read_text()
    assert not Path(home / ".local" / "state" / "zscope").exists()  # nothing of a visitor is kept
    said = log.read_text()  # gradio looks for the hosting's own package, which is not here, and
    # Python 3.12 tells of a loop that was deleted where it is
    known = ("`spaces` package is required", "BaseEventLoop.__del__")
    assert said.count("Traceback") == sum(said.count(each) for each in known)
