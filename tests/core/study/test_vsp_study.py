"""Maps of the published VSP set as a study, judged by the published check."""

import json
from pathlib import Path

import pytest

import core
from core import study
from core.study.arms import chosen
from core.study.design import Design

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("model", "arms", "verdicts"),
    [
        ("direct", ("input changed",), {"no latents", "instrument not validated"}),
        ("faithful", ("identity", "input changed", "swap, other answer", "noise"),
         {"inconclusive", "instrument not validated"}),
    ],
)  # fmt: skip
def test_published_maps_run_through_as_a_study(
    model: str, arms: tuple[str, ...], verdicts: set[str], shared: Path, tmp_path: Path
):
    items = study.load_items(shared / "data" / "vsp_spatial_planning_test.tar.gz")
    assert len(items) == 400
    assert not items.problems
    few = study.Items(items[::80])
    engine = core.load(ROOT / "assets" / "models" / model, device="cpu", dtype="float32")
    wanted = chosen(study.preset("quick", engine.family), arms)
    found = study.run(engine, few, Design(wanted, max_new_tokens=40, resamples=100), tmp_path)
    base = [row for row in found.rows if row["arm"] == "base"]
    assert [row["item"] for row in base] == [item.id for item in few]
    for row, item in zip(base, few, strict=True):
        assert "error" not in row
        assert not row["scores"]  # no options: the answer itself is judged
        assert row["right"] == (bool(row["answer"]) and item.judge(row["answer"] or ""))
        assert row["imagined"] == engine.family.latent
    assert len(found.rows) == (1 + len(arms)) * len(few)
    assert found.verdict.verdict in verdicts  # five maps settle nothing
    study.write_all(found, tmp_path)
    written = json.loads((tmp_path / "verdict.json").read_text("utf-8"))
    assert written["verdict"] == found.verdict.verdict
