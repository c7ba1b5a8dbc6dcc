"""Whether a known weakness is on record for a package that is installed; said, never a failure.

The answer changes from day to day and comes from a service on the network, so that a run of the
checks neither waits long for it nor fails because of it.
"""

import json
import subprocess
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from gui.commands import ROOT

PATIENCE = 45  # seconds for the whole audit
RECORD = ROOT / "assets" / "audit.json"  # what was found when it was last asked by hand


def audit() -> str:
    """One line on what ``pip-audit`` says of what is installed here, or why it was not asked."""
    if find_spec("pip_audit") is None:
        return "not done: pip-audit is not installed"
    command = [
        sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off",
        "--timeout", "5",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
        found = told(done.stdout)
    except subprocess.TimeoutExpired:
        return f"not done: no answer within {PATIENCE} s"
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "not done: the service could not be reached"
    return found


def told(answer: str) -> str:
    """What an answer of ``pip-audit`` says.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is none.
    """
    asked = json.loads(answer)["dependencies"]
    known = [one for one in asked if "skip_reason" not in one]
    if not known:  # what pip-audit itself calls a success
        return f"not done: none of {len(asked)} packages could be looked up"
    left = f", {len(asked) - len(known)} could not be looked up" * (len(known) < len(asked))
    weak = [
        f"{one['name']} {one['version']} ({', '.join(v['id'] for v in one['vulns'])})"
        for one in known
        if one["vulns"]
    ]
    if weak:
        return f"known weaknesses in {'; '.join(weak)}{left}"
    return f"no known weakness in {len(known)} packages{left}"


def recorded(path: Path = RECORD) -> str:
    """One line on the recorded report: its day, what it says, and what was installed since."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        known, said, day = report["packages"], report["said"], report["date"]
    except (OSError, ValueError, KeyError, TypeError):
        return "no recorded report"
    here = {(d.name or "").lower(): d.version for d in distributions()}
    other = sum(known.get(name) != version for name, version in here.items())
    changed = f"; {other} of {len(here)} installed packages are not as recorded" * bool(other)
    return f"recorded on {day}: {said}{changed}"
