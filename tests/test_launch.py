"""launch.py, started for real as a child process, in a house of its own.

The house is a folder with launch.py and its commands, a page that only reports how it was
called, and requirements that are wheels of a few bytes, so that environments are really made
and filled without a network.
"""

import ast
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from gui.commands import environment, page
from gui.commands import test as test_command
from gui.commands.model import DEFAULT

ROOT = Path(__file__).resolve().parents[1]

PAGE = """
import dataclasses, json, os, sys, time

@dataclasses.dataclass(frozen=True)
class Options:
    model: str
    family: str | None
    device: str
    dtype: str
    attention: str
    host: str
    port: int
    share: bool
    browser: bool
    state: object = None
    own_models: bool = True
    bounds: object = None
    hosted: bool = False
    auth: object = None
    revision: str | None = None

def serve(options):
    names = ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE")
    report = dataclasses.asdict(options)
    for name in ("state", "own_models", "bounds", "hosted", "auth", "revision"):
        report.pop(name)
    report["environment"] = {name: os.environ.get(name) for name in names}
    report["prefix"] = sys.prefix
    print(json.dumps(report, default=str), flush=True)
    if os.environ.get("PAGE") == "stays":
        time.sleep(60)
    if os.environ.get("PAGE") == "raises":
        from core.errors import CheckpointError
        raise CheckpointError("The folder holds no weights: give another.")
"""


def write_wheel(folder: Path, version: str) -> None:
    """A wheel of the distribution ``imagined``, with one module that knows its version."""
    info = f"imagined-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: imagined\nVersion: {version}\n"
    files = {
        "imagined.py": f"version = {version!r}\n",
        f"{info}/METADATA": about,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"imagined-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


class House:
    """A checkout small enough to be set up many times."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = folder / ".venv"

    @classmethod
    def build(cls, folder: Path) -> "House":
        (folder / "gui").mkdir(parents=True)
        (folder / "wheels").mkdir()
        shutil.copy(ROOT / "launch.py", folder)
        shutil.copytree(
            ROOT / "gui" / "commands",
            folder / "gui" / "commands",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        (folder / "core").symlink_to(ROOT / "core")
        (folder / "gui" / "app.py").write_text(PAGE)
        for name in ("places.py", "hosting.py", "bounds.py", "errors.py"):
            shutil.copy(ROOT / "gui" / name, folder / "gui")
        (folder / "requirements.txt").write_text("imagined>=1.0,<2  # small\n")
        (folder / "requirements-test.txt").write_text("")
        write_wheel(folder / "wheels", "1.0")
        return cls(folder)

    def require(self, line: str) -> None:
        (self.folder / "requirements.txt").write_text(line + "\n")

    def satisfied(self, version: str = "1.0") -> dict[str, str]:
        """Variables under which the running Python has what the house requires."""
        info = self.folder / "have" / f"imagined-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: imagined\nVersion: {version}\n")
        return {"PYTHONPATH": str(info.parent)}

    def variables(self, extra: dict[str, str]) -> dict[str, str]:
        ours = ("SPACE_ID", "HF_HUB_OFFLINE", "PYTHONPATH", "OMP_NUM_THREADS")
        outside = {name: value for name, value in os.environ.items() if name not in ours}
        local = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.folder / "wheels")}
        return {**outside, **local, **extra}

    def start(self, *arguments: str, python: str = sys.executable, **extra: str):
        return subprocess.Popen(
            [python, str(self.folder / "launch.py"), *arguments],
            env=self.variables(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, python: str = sys.executable, **extra: str):
        with self.start(*arguments, python=python, **extra) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def marker(self) -> dict:
        return json.loads((self.environment / "zscope.json").read_text())

    def installed(self) -> str:
        python = self.environment / "bin" / "python"
        told = [python, "-c", "import imagined; print(imagined.version)"]
        return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()


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


def report(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def one_sentence(done: subprocess.CompletedProcess) -> str:
    """The whole of stderr, which a mistake has made one line, with exit code 2."""
    assert done.returncode == 2, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.endswith((".", ")."))
    return sentence


# Which Python


def test_parses_on_an_old_python_and_is_refused_in_one_sentence():
    source = (ROOT / "launch.py").read_text()
    ast.parse(source, feature_version=(3, 7))
    pretend = (
        "import runpy, sys\n"
        "sys.version_info = (3, 8, 1)\n"
        f"runpy.run_path({str(ROOT / 'launch.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert "needs Python 3.11 or newer and this is Python 3.8" in one_sentence(done)


def test_only_the_standard_library_is_imported_before_the_requirements_are_checked():
    told = [sys.executable, "-c", "import sys, launch; print(*sys.modules)"]
    before = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    loaded, usual = (
        set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split())
        for command in (told, before)
    )
    roots = {name.partition(".")[0] for name in loaded - usual}
    assert roots - set(sys.stdlib_module_names) == {"launch", "gui"}


# The private environment


def test_an_environment_that_has_everything_is_used_as_it_is(house: House):
    told = report(house.run(**house.satisfied()))
    assert told["prefix"] == sys.prefix
    assert not house.environment.exists()


def test_first_start_makes_a_private_environment_and_goes_on_inside_it(first_start):
    house, printed = first_start
    told = json.loads(printed.splitlines()[-1])
    assert Path(told["prefix"]).resolve() == house.environment.resolve()
    assert "imagined" in printed.splitlines()[0]
    assert "Successfully installed imagined-1.0" in printed  # pip's own words are in view
    assert house.marker()["state"] == "complete"
    assert house.installed() == "1.0"


def test_second_start_installs_nothing(furnished: House):
    shutil.rmtree(furnished.folder / "wheels")
    done = furnished.run()
    assert Path(report(done)["prefix"]).resolve() == furnished.environment.resolve()
    assert len(done.stdout.splitlines()) == 1


def test_started_with_the_private_python_itself(furnished: House):
    python = str(furnished.environment / "bin" / "python")
    assert len(furnished.run(python=python).stdout.splitlines()) == 1
    write_wheel(furnished.folder / "wheels", "1.5")
    furnished.require("imagined==1.5")
    report(furnished.run(python=python))
    assert furnished.installed() == "1.5"


def test_changed_requirements_bring_the_environment_up_to_date(furnished: House):
    write_wheel(furnished.folder / "wheels", "1.5")
    furnished.require("imagined==1.5")
    kept = furnished.environment / "kept"
    kept.touch()
    done = furnished.run()
    report(done)
    assert done.stdout.startswith("Updating")
    assert furnished.installed() == "1.5"
    assert kept.exists()


def test_a_reworded_comment_changes_nothing(furnished: House):
    shutil.rmtree(furnished.folder / "wheels")
    furnished.require("# other words\nimagined>=1.0,<2")
    assert len(furnished.run().stdout.splitlines()) == 1


def test_an_upgrade_that_cannot_be_had_leaves_the_environment_as_it_was(furnished: House):
    before = furnished.marker()
    furnished.require("imagined==7.0")
    done = furnished.run()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("pip could not install the requirements")
    assert "Traceback" not in done.stderr
    assert furnished.marker() == before
    furnished.require("imagined>=1.0,<2")
    report(furnished.run())


def test_an_install_that_was_cut_off_is_made_again_from_nothing(house: House):
    with house.start() as process:
        assert process.stdout.readline().startswith("Installing")
        while not (house.environment / "pyvenv.cfg").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert house.marker() == {"state": "installing"}
    half = house.environment / "lib" / "half-copied"
    half.mkdir(parents=True, exist_ok=True)
    report(house.run())
    assert house.marker()["state"] == "complete"
    assert not half.exists()


def test_an_environment_whose_python_is_gone_is_made_again(furnished: House):
    (furnished.environment / "bin" / "python").unlink()
    report(furnished.run())
    assert furnished.installed() == "1.0"


def test_somebody_elses_environment_is_never_changed(furnished: House):
    (furnished.environment / "zscope.json").unlink()
    report(furnished.run())  # it has what is needed, so it is used
    furnished.require("imagined==1.5")
    write_wheel(furnished.folder / "wheels", "1.5")
    for python in (sys.executable, str(furnished.environment / "bin" / "python")):
        sentence = one_sentence(furnished.run(python=python))
        assert "imagined==1.5" in sentence
        assert "not made by launch.py" in sentence
    assert furnished.installed() == "1.0"


def test_a_second_start_waits_for_the_one_that_installs(furnished: House):
    write_wheel(furnished.folder / "wheels", "1.5")
    furnished.require("imagined==1.5")
    with open(furnished.folder / ".venv.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        process = furnished.start()
        assert "waiting" in process.stdout.readline()
    with process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert furnished.installed() == "1.5"


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [(["--no-install"], {}), ([], {"SPACE_ID": "owner/name"}), (["--no-install", "test"], {})],
)
def test_without_permission_to_install_what_is_missing_is_named(
    house: House, arguments: list[str], variables: dict[str, str]
):
    sentence = one_sentence(house.run(*arguments, **variables))
    assert "imagined>=1.0,<2" in sentence
    assert "pip install -r requirements.txt" in sentence
    assert not house.environment.exists()


def test_without_permission_to_install_another_version_is_named_and_used(house: House):
    done = house.run("--no-install", **house.satisfied("3.1"))
    assert report(done)["prefix"] == sys.prefix
    assert done.stderr == "Note: this environment has 3.1 for imagined>=1.0,<2.\n"


@pytest.mark.parametrize(
    ("found", "wanted", "met"),
    [
        ("2.13.0+cpu", "torch>=2.8,<2.14", True),
        ("2.14.0", "torch>=2.8,<2.14", False),
        ("2.14", "torch==2.14.0", True),
        ("2.9", "torch>=2.10", False),
        ("1.0.1", "torch==1.0", False),
    ],
)
def test_versions_are_compared_as_numbers(
    found: str, wanted: str, met: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(environment.metadata, "version", lambda name: found)
    file = tmp_path / "requirements.txt"
    file.write_text(wanted)
    assert environment.unmet([file]) == ([] if met else [(wanted, found)])


def test_every_line_of_our_requirements_is_understood():
    for file in ("requirements.txt", "requirements-test.txt"):
        for line in environment.requirement_lines(ROOT / file):
            assert environment.REQUIREMENT.fullmatch(line), line


# The page


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
            process.stdout.readline()
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


def test_the_real_page_is_up_before_torch_is_imported():
    told = "import sys, gui.app; print('torch' in sys.modules or 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_the_real_page_answers_and_ends_when_told_to(signal_number: int):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, ROOT / "launch.py", "--no-install", "--no-browser", "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        address = process.stdout.readline().decode().split()[-1]
        with urllib.request.urlopen(address) as reply:
            assert b"Zscope" in reply.read()
        process.send_signal(signal_number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()


@pytest.mark.skipif(not DEFAULT.is_dir(), reason="the default demo model is not here")
def test_the_doctor_finds_the_instrument_sound():
    command = [sys.executable, ROOT / "launch.py", "doctor", "--no-install", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert said["device"].startswith("cpu, float32: Device cpu: asked for.")
    assert "monet" in said["families"]
    assert f"torch {metadata.version('torch')}" in said["versions"]
    assert "assets/models/faithful" in done.stdout
    assert sum(line.startswith("  pass") for line in done.stdout.splitlines()) >= 4
    assert "FAIL" not in done.stdout


# The tests


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
