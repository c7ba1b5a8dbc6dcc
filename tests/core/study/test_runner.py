"""A whole study on a tiny model: interrupted, short of memory, with bad items, in two processes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

import core
from core import study
from core.engine import Engine, together
from core.errors import Cancelled, MemoryShortage
from core.study.arms import Arm, Input, Latent, chosen
from core.study.design import Design
from core.study.exports import results_csv
from core.study.items import Items
from core.study.runner import keys_of, rows_of, run_rows
from tests.core.engine import tiny

ARMS = (
    Arm("identity", "identity", z=(Latent("identity"),)),
    Arm("input changed", "input", x=Input("swap image")),
    Arm("blank picture", "blind", x=Input("blank")),
    Arm("crossed", "mediation", x=Input("swap image"), z=(Latent("transplant"),), donor="x"),
    Arm("swap", z=(Latent("transplant"),), donor="any"),
    Arm("noise", z=(Latent("gaussian", dose=1.0),), draws=2),
    Arm("pinned", z=(Latent("gaussian", dose=1.0, mode="pinned"),)),
    Arm("cached", z=(Latent("gaussian", dose=1.0, mode="cached"),)),
    Arm("slots", z=(Latent("slot", mode="cached"),), donor="any"),
    Arm("cut", z=(Latent("knockout", source="answer", target="latents"),)),
    Arm("markers only", z=(Latent("markers"),)),
)
DESIGN = Design(ARMS, block=3, max_new_tokens=14, budget=4, force_latents=True, resamples=100)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("model"), "monet", seed=3)
    return core.load(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Items:
    """Seven items on six pictures; that of the third is cut short."""
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for place in range(7):
        name = f"{place % 6}.png"
        tiny.picture(place % 6).save(folder / name)
        answer = ("red", "blue")[place % 2]
        rows.append(
            {"image": name, "question": "What colour?", "answer": answer, "options": "red|blue"}
        )
    whole = (folder / "2.png").read_bytes()
    (folder / "2.png").write_bytes(whole[: len(whole) // 2])
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return study.load_items(folder)


def table(engine: Engine, items: Items, folder: Path, design: Design = DESIGN) -> str:
    return results_csv(list(rows_of(items, design, keys_of(engine, design), folder)))


@pytest.fixture(scope="module")
def finished(engine: Engine, items: Items, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    run_rows(engine, items, DESIGN, folder)
    return folder


def rows_in(engine: Engine, items: Items, folder: Path) -> list[dict]:
    return list(rows_of(items, DESIGN, keys_of(engine, DESIGN), folder))


def test_every_item_has_every_arm(engine: Engine, items: Items, finished: Path):
    rows = rows_in(engine, items, finished)
    good = [row for row in rows if row["item"] != items[2].id]
    assert len(good) == 6 * (len(DESIGN.arms) + 1)  # noise is drawn twice
    assert not [row for row in good if "error" in row or "skipped" in row]
    assert len(engine.store) == 0


def test_a_damaged_picture_is_one_sentence_and_the_rest_goes_on(
    engine: Engine, items: Items, finished: Path
):
    rows = [row for row in rows_in(engine, items, finished) if row["item"] == items[2].id]
    assert {row["error"] for row in rows} == {"2.png is damaged or cut short; save it again."}


def test_identity_changes_nothing_and_doses_arrive(engine: Engine, items: Items, finished: Path):
    rows = {(r["item"], r["arm"], r["draw"]): r for r in rows_in(engine, items, finished)}
    for (item, arm, _), row in rows.items():
        if "choice" not in row:
            continue
        if arm == "identity":
            base = rows[item, "base", 0]
            assert row["text"] == base["text"]
            for option, score in base["scores"].items():
                assert row["scores"][option] == pytest.approx(score, abs=1e-4)
        if arm in ("noise", "pinned", "cached"):
            assert row["receipts"][0]["epsilon"] == pytest.approx(1.0, abs=1e-4)
            assert row["receipts"][0]["hidden"] > 0
    first = items[0].id
    assert rows[first, "noise", 0]["scores"] != rows[first, "noise", 1]["scores"]


def test_rows_equal_one_by_one_runs(engine: Engine, items: Items, finished: Path):
    """What the batches give is what the engine's plain calls give."""
    rows = {(r["item"], r["arm"]): r for r in rows_in(engine, items, finished)}
    item = items[4]
    trace = engine.run(
        item.picture(), item.question, budget=4, force_latents=True, max_new_tokens=14
    )
    assert rows[item.id, "base"]["text"] == trace.text
    cut = engine.branch(trace, [core.Edit("knockout", source="answer", target="latents")])
    for arm, run in (("base", trace), ("cut", cut)):
        for option, score in engine.score(run, item.options).items():
            assert rows[item.id, arm]["scores"][option] == pytest.approx(score, abs=1e-4)


def test_running_again_changes_nothing(engine: Engine, items: Items, finished: Path):
    before = (finished / "rows" / "0.jsonl").read_bytes()
    made = run_rows(engine, items, DESIGN, finished)
    assert made == len(DESIGN.arms)  # the damaged picture is tried again
    after = (finished / "rows" / "0.jsonl").read_bytes()
    assert after.startswith(before)
    assert {json.loads(line)["item"] for line in after[len(before) :].splitlines()} == {items[2].id}


def test_stopped_and_continued_is_the_same(
    engine: Engine, items: Items, finished: Path, tmp_path: Path
):
    engine.store.clear()
    stop = Event()

    def report(progress: study.Progress) -> None:
        if progress.made:
            stop.set()

    with pytest.raises(Cancelled):
        run_rows(engine, items, DESIGN, tmp_path, report, stop)
    assert len(engine.store) == 0
    run_rows(engine, items, DESIGN, tmp_path)
    assert table(engine, items, tmp_path) == table(engine, items, finished)


def test_two_processes_give_what_one_gives(
    engine: Engine, items: Items, finished: Path, tmp_path: Path
):
    for rank in (0, 1):
        run_rows(engine, items, DESIGN, tmp_path, rank=rank, processes=2)
    assert sorted(path.name for path in (tmp_path / "rows").iterdir()) == ["0.jsonl", "1.jsonl"]
    assert table(engine, items, tmp_path) == table(engine, items, finished)


def test_a_batch_without_room_is_halved(
    engine: Engine,
    items: Items,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    made: list[int] = []

    def tight(method: Callable) -> Callable:
        def run(first: object, jobs: Sequence, *rest: object, **options: object) -> list:
            if len(jobs) > 2:
                raise MemoryShortage("The device ran out of memory.")
            made.append(len(jobs))
            return method(first, jobs, *rest, **options)

        return run

    monkeypatch.setattr(Engine, "run_many", tight(Engine.run_many))
    monkeypatch.setattr(together, "branches", tight(together.branches))
    monkeypatch.setattr(together, "scores", tight(together.scores))
    run_rows(engine, items, DESIGN, tmp_path)
    assert max(made) == 2
    few, all_ = rows_in(engine, items, tmp_path), rows_in(engine, items, finished)
    assert [(r["item"], r["arm"], r.get("choice")) for r in few] == [
        (r["item"], r["arm"], r.get("choice")) for r in all_
    ]


def test_more_arms_later_keep_what_is_there(
    engine: Engine, items: Items, finished: Path, tmp_path: Path
):
    few = Design(
        chosen(DESIGN.arms, ["identity", "noise"]),
        block=3,
        max_new_tokens=14,
        budget=4,
        force_latents=True,
    )
    run_rows(engine, items, few, tmp_path)
    before = (tmp_path / "rows" / "0.jsonl").read_bytes()
    run_rows(engine, items, DESIGN, tmp_path)
    assert (tmp_path / "rows" / "0.jsonl").read_bytes().startswith(before)
    ours = {(r["item"], r["arm"], r["draw"]) for r in rows_in(engine, items, tmp_path)}
    theirs = {(r["item"], r["arm"], r["draw"]) for r in rows_in(engine, items, finished)}
    assert ours == theirs


def test_a_study_from_end_to_end(engine: Engine, items: Items, finished: Path):
    found = study.run(engine, items, DESIGN, finished)
    study.write_all(found, finished, rerun=["python", "launch.py", "study"])
    said = json.loads((finished / "verdict.json").read_text())
    assert set(said) >= {"verdict", "reason", "numbers", "validated"}
    assert said["verdict"] == found.verdict.verdict
    for check in found.checks:
        if "acts" not in check.name:  # a random model need not look at its picture
            assert check.passed, check
    page = (finished / "report.html").read_text()
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "2.png is damaged" in page
    lines = (finished / "results.csv").read_text().splitlines()
    assert len(lines) == 1 + len(found.rows)
    assert (finished / "effects.csv").read_text().startswith("arm,")


def test_edits_of_the_input_are_pure():
    from core.study.pictures import CHANGES, change

    picture = tiny.picture(1, (60, 40))
    box = (5, 5, 20, 20)
    strength = {"blur": 0.1, "noise": 0.2, "downscale": 4.0, "jpeg": 0.8, "shuffle": 4.0}
    for kind in CHANGES:
        made = [change(kind, picture, strength.get(kind, 0.0), box, 7) for _ in range(2)]
        assert made[0].size == picture.size
        assert made[0].tobytes() == made[1].tobytes()
        assert made[0].tobytes() != picture.tobytes()
    hidden = change("evidence", picture, 0, box, 0)
    assert hidden.crop((30, 0, 60, 40)).tobytes() == picture.crop((30, 0, 60, 40)).tobytes()
    elsewhere = change("elsewhere", picture, 0, box, 0)
    assert elsewhere.crop(box).tobytes() == picture.crop(box).tobytes()
    assert isinstance(hidden, Image.Image)
