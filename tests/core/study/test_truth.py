"""The shipped models' own truth, found by small studies with margins declared to fit their size.

At the margins a study declares by itself it takes 133 items of which none changes to show that an
arm changes nothing; here 60 have to do, so the margins are a tenth. The figures at full size
stand in ``benchmarks/README.md``.
"""

from pathlib import Path

import pytest

import core
from core import study
from core.study.arms import chosen

ROOT = Path(__file__).resolve().parents[3]
MARGINS = study.Margins(accuracy=0.1, flips=0.1)
CONTENT = (
    "identity", "input changed", "blank picture", "own input, latents of the changed", "noise",
)  # fmt: skip
SLOTS = (*CONTENT, "own input, slots of the changed", "answer blind to latents")


@pytest.mark.parametrize(
    ("name", "items", "arms", "truth"),
    [
        ("faithful", 24, CONTENT, "load-bearing content"),
        ("region", 24, CONTENT, "load-bearing content"),
        ("words", 16, (), "load-bearing text"),
        ("direct", 12, (), "no latents"),
        ("slot", 60, SLOTS, "load-bearing slot, not content"),
        ("shortcut", 60, SLOTS, "bypassed"),
    ],
)
def test_a_study_finds_what_the_model_was_made_to_do(
    name: str, items: int, arms: tuple[str, ...], truth: str, tmp_path: Path
):
    folder = ROOT / "assets" / "models" / name
    if not (folder / "config.json").exists():
        pytest.skip(f"needs the demo model {name} in assets/models")
    engine = core.load(folder, device="cpu", dtype="float32")
    wanted = study.preset("quick", engine.family)
    design = study.Design(
        chosen(wanted, arms) if arms else wanted, margins=MARGINS, max_new_tokens=48, resamples=300
    )
    found = study.run(engine, study.load_items("scenes", items), design, tmp_path)
    assert found.verdict.verdict == truth, found.verdict.reason
    assert found.verdict.validated or truth == "no latents"
    assert len(found.rows) == items * len(design.arms)
