"""Maps of the published VSP set as a study, judged by the published check."""

from pathlib import Path

import core
from core import study
from core.study.arms import chosen
from core.study.design import Design

ROOT = Path(__file__).resolve().parents[3]


def test_published_maps_run_through_as_a_study(shared: Path, tmp_path: Path):
    items = study.load_items(shared / "data" / "vsp_spatial_planning_test.tar.gz")
    assert len(items) == 400
    assert not items.problems
    few = study.Items(items[::80])
    engine = core.load(ROOT / "assets" / "models" / "direct", device="cpu", dtype="float32")
    arms = chosen(study.preset("quick", engine.family), ["input changed"])
    found = study.run(engine, few, Design(arms, max_new_tokens=40, resamples=100), tmp_path)
    base = [row for row in found.rows if row["arm"] == "base"]
    assert [row["item"] for row in base] == [item.id for item in few]
    for row, item in zip(base, few, strict=True):
        assert "error" not in row
        assert not row["scores"]  # no options: the answer itself is judged
        assert row["right"] == (bool(row["answer"]) and item.judge(row["answer"] or ""))
    assert len(found.rows) == 2 * len(few)
    assert found.verdict.verdict in ("no latents", "instrument not validated")
