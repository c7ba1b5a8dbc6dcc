"""launch.py finds, makes and mends the environment it goes on in."""

import ast
import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gui.commands import environment
from tests.launch.house import ROOT, House, one_sentence, report, write_wheel


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
