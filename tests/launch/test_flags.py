"""What the flags of launch.py come to, and how a mistake in them is told."""

import signal
import socket
import sys
from pathlib import Path

import pytest

from gui.commands import page
from tests.launch.house import House, one_sentence, report


def test_the_page_gets_its_options(house: House, tmp_path: Path):
    (tmp_path / "model").mkdir()
    flags = ["--model", str(tmp_path / "model"), "--family", "monet", "--device", "cuda:1"]
    flags += ["--dtype", "bfloat16", "--attention", "eager", "--no-browser", "--port", "7999"]
    told = report(house.run(*flags, HF_HUB_OFFLINE="0", **house.satisfied()))
    assert told.pop("prefix") == sys.prefix
    assert told.pop("port") >= 7999
    assert told.pop("environment") == {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "0",
    }
    assert told == {
        "model": str(tmp_path / "model"),
        "family": "monet",
        "device": "cuda:1",
        "dtype": "bfloat16",
        "attention": "eager",
        "host": "127.0.0.1",
        "share": False,
        "browser": False,
    }


def test_the_page_without_flags_is_for_this_machine_alone(house: House):
    told = report(house.run(**house.satisfied()))
    assert (told["host"], told["share"], told["browser"]) == ("127.0.0.1", False, True)
    assert told["model"] == str(house.folder / "assets" / "models" / "faithful")
    assert told["environment"]["HF_HUB_OFFLINE"] is None


def test_what_opens_the_page_to_others_says_so(house: House):
    have = house.satisfied()
    done = house.run("--listen", "--share", **have)
    told = report(done)
    assert (told["host"], told["share"]) == ("0.0.0.0", True)
    assert "whoever can reach this machine" in done.stdout
    assert "whoever has the link" in done.stdout
    told = report(house.run(SPACE_ID="owner/name", **have))
    assert (told["host"], told["browser"]) == ("0.0.0.0", False)


def test_a_taken_port_gives_the_next_free_one(house: House):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = house.run("--port", str(port), **house.satisfied())
    told = report(done)
    assert port < told["port"] <= port + 99
    assert f"Port {port} is taken: serving on {told['port']}." in done.stdout


def test_no_free_port_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    def refuse(host: str, port: int) -> None:
        raise OSError("taken")

    monkeypatch.setattr(page, "bind", refuse)
    with pytest.raises(page.Mistake, match="No port from 65500 to 65535 is free"):
        page.free_port("127.0.0.1", 65500)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_the_page_is_its_proper_end(house: House, signal_number: int):
    # a test run in the background of a shell script ignores interrupts, and a page would inherit it
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with house.start(PAGE="stays", **house.satisfied()) as process:
            assert any(
                line.startswith("{") for line in process.stdout
            )  # a taken port is told first
            process.send_signal(signal_number)
            _, err = process.communicate(timeout=30)
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert process.returncode == 0
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["studdy"], "no command 'studdy'"),
        (["--prot", "3"], "--prot 3"),
        (["doctor", "--listen"], "--listen"),
        (["train"], "name"),
        (["--port", "none"], "'none' is no port"),
        (["--port", "70000"], "'70000' is no port"),
        (["--host", "203.0.113.7"], "203.0.113.7 is no address of this machine"),
        (["--host", "no..name"], "no..name is no address"),
        (["--host", "127.0.0.1", "--listen"], "not allowed with"),
        (["--model", "no/such/folder"], "no folder no/such/folder"),
        (["--model", __file__], "is a file"),
        (["--device", "abacus"], "'abacus' is none of auto, cpu"),
        (["--dtype", "int3"], "'int3'"),
        (["--attention", "none"], "'none'"),
        (["train", "faithful", "--steps", "many"], "'many'"),
    ],
)
def test_a_mistake_is_one_sentence_told_before_anything_is_installed(
    house: House, arguments: list[str], words: str
):
    assert words in one_sentence(house.run(*arguments))
    assert not house.environment.exists()


def test_an_error_with_a_sentence_of_its_own_is_told_without_a_traceback(house: House):
    sentence = one_sentence(house.run(PAGE="raises", **house.satisfied()))
    assert sentence == "The folder holds no weights: give another."


def test_an_unknown_family_is_told_before_the_page_opens(house: House):
    sentence = one_sentence(house.run("--family", "daydream", **house.satisfied()))
    assert "daydream" in sentence
    assert "monet" in sentence


@pytest.mark.parametrize("command", [[], ["doctor"], ["test"], ["train"]])
def test_help_needs_nothing_installed(house: House, command: list[str]):
    done = house.run(*command, "--help")
    assert done.returncode == 0
    assert "--no-install" in done.stdout
