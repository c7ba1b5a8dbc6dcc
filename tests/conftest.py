"""What every test may ask for: the reference material beside the checkout, and a browser.

Tests run on one thread each: on shared cores more are slower, and sums stay in one order.
"""

import os
from pathlib import Path

# Read when torch is imported, which is later than this: importing it here would cost the tests
# that need none of it two seconds.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import pytest

from gui.commands.test import find_chromium

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside the checkout; without it the test is skipped."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the reference material in ../shared, which is not here")
    return folder


@pytest.fixture(scope="session")
def golden_cases(shared: Path) -> dict[str, Path]:
    """The recorded runs of the published decoding loops: name to folder."""
    cases = {file.parent.name: file.parent for file in sorted(shared.glob("golden/*/run.json"))}
    if not cases:
        pytest.skip("needs the recorded runs in ../shared/golden, which are not here")
    return cases


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium to drive; without one the test is skipped."""
    found = find_chromium()
    if found is None:
        pytest.skip("needs Chromium or Chrome, and none was found")
    return found
