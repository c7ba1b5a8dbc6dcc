"""The Study tab's parts: a study beside the page, its data, its figures, its words."""

import gc
import json
import threading
import zipfile
from pathlib import Path

import pytest

import core
from core import study
from core.study.arms import Arm, Input, Latent
from core.study.design import Design
from gui.acts import GuiError
from gui.bounds import OutOfBounds
from gui.figures import study as figures
from gui.folders import Folder
from gui.line import Line
from gui.study_data import PLACE, SCENES, UPLOAD, items_of, unpacked
from gui.study_job import Data, count_of, declared
from gui.study_view import body_html, plan_html, progress_html
from gui.studying import OUTPUTS, Studying
from tests.core.engine import tiny

ARMS = (
    Arm("identity", "identity", z=(Latent("identity"),)),
    Arm("input <changed>", "input", x=Input("swap image")),
    Arm("noise", z=(Latent("gaussian", dose=1.0),)),
)
DESIGN = Design(ARMS, block=2, max_new_tokens=10, budget=3, force_latents=True, resamples=100)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("model"), "monet", seed=7)
    return core.load(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for place in range(10):
        tiny.picture(place).save(folder / f"{place}.png")
        answer = ("red", "blue")[place % 2]
        rows.append(
            {"image": f"{place}.png", "question": "What?", "answer": answer, "options": "red|blue"}
        )
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def studying(engine, data, folder, wanted=lambda: True, turn=None):
    return Studying(
        engine, lambda: study.load_items(data), DESIGN, folder, wanted, turn or threading.Lock()
    )


def test_a_study_beside_the_page(engine, data, tmp_path):
    job = studying(engine, data, tmp_path)
    assert "Declare the margins" in progress_html(None)
    job.start()
    job.join(120)
    assert not job.alive
    assert not job.trouble, job.sentence
    assert job.sentence.startswith("The study is done: ")
    assert [Path(path).name for path in job.files] == list(OUTPUTS)
    assert all(Path(path).stat().st_size for path in job.files)
    page = body_html(job)
    for title in ("Emission, reading and health", "Effects", "Validation card"):
        assert title in page
    assert page.index("Emission") < page.index("<h2>Effects")
    assert "<changed>" not in page
    assert "input &lt;changed&gt;" in page
    assert "--preset own" in " ".join(job.command())


def test_stopped_it_says_so_and_start_goes_on(engine, data, tmp_path):
    looks = []

    def wanted():
        looks.append(None)
        return len(looks) < 4

    first = studying(engine, data, tmp_path, wanted)
    first.start()
    first.join(120)
    assert first.sentence.startswith("Stopped after ")
    assert "too narrow" in first.sentence
    kept = (tmp_path / "rows" / "0.jsonl").read_bytes()
    assert kept
    second = studying(engine, data, tmp_path)
    second.start()
    second.join(120)
    assert second.sentence.startswith("The study is done: ")
    assert (tmp_path / "rows" / "0.jsonl").read_bytes().startswith(kept)
    assert len(second.study.rows) == 10 * len(DESIGN.arms)


def test_one_study_at_a_time(engine, data, tmp_path):
    turn = threading.Lock()
    with turn:
        job = studying(engine, data, tmp_path, turn=turn)
        job.start()
        job.join(1.5)
        assert job.alive
        assert "waiting for another study" in progress_html(job).lower()
        job.stop()
        job.join(60)
    assert "stopped before it began" in job.sentence


def test_who_waits_in_line_is_served_while_a_study_runs(engine, data, tmp_path):
    line, rows = Line(), []

    def wanted():
        if job.progress is not None and not rows and len(line) == 1:
            rows.append(job.progress.done)
            threading.Thread(target=visitor, args=(line.join("visitor"),)).start()
        return True

    def visitor(ticket):
        with ticket:
            ticket.take()
            rows.append(job.progress.done)

    job = Studying(
        engine, lambda: study.load_items(data), DESIGN, tmp_path, wanted, threading.Lock(), line,
        "student",
    )  # fmt: skip
    job.start()
    job.join(120)
    assert job.sentence.startswith("The study is done: ")
    came, served = rows
    assert served == came < 10 * len(DESIGN.arms)
    assert len(line) == 0


def test_a_study_waits_for_the_model_and_can_be_stopped_there(engine, data, tmp_path):
    line = Line()
    running = line.join("visitor")
    job = Studying(
        engine, lambda: study.load_items(data), DESIGN, tmp_path, lambda: True, threading.Lock(),
        line, "student",
    )  # fmt: skip
    job.start()
    job.join(1)
    assert job.alive
    assert "1 person is before you" in job.stage
    job.stop()
    job.join(60)
    assert "stopped before it began" in job.sentence
    assert not job.trouble
    line.leave(running)
    assert len(line) == 0


def test_a_hosted_copy_studies_so_many_items_and_says_so(workshop):
    with pytest.raises(OutOfBounds, match="201 items; at most 200 are studied here"):
        count_of(201, 200)
    assert (count_of(None, 200), count_of(200.0, 200)) == (1, 200)
    with pytest.raises(GuiError, match="not loaded on this machine"):  # a stand-in is no engine
        declared(workshop, "quick", 2.0, 5.0, 0.1, False)


def test_bad_data_is_one_sentence(engine, tmp_path):
    job = studying(engine, tmp_path / "nothing", tmp_path / "out")
    job.start()
    job.join(60)
    assert job.trouble
    assert "There is no data set" in progress_html(job)


def test_an_archive_is_unpacked_and_reads_nothing_else(data, tmp_path):
    archive = tmp_path / "mine.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in data.iterdir():
            file.write(path, f"mine/{path.name}")
        file.writestr("../escaped.txt", "x")
    items = items_of(UPLOAD, str(archive), "", 5, [], tmp_path / "own")
    assert len(items) == 5
    assert items[0].picture().size == tiny.picture(0).size
    assert not (tmp_path / "escaped.txt").exists()


def test_other_sources(data, tmp_path):
    assert len(items_of(PLACE, None, str(data), 3, [], tmp_path)) == 3
    shipped = items_of(SCENES, None, "", 4, ["where"], tmp_path)
    assert {item.task for item in shipped} == {"where"}
    with pytest.raises(GuiError, match="Choose a file first"):
        items_of(UPLOAD, None, "", 3, [], tmp_path)
    with pytest.raises(GuiError, match="Name a file or a folder"):
        items_of(PLACE, None, " ", 3, [], tmp_path)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK no archive")
    with pytest.raises(GuiError, match="cannot be unpacked"):
        unpacked(broken, tmp_path / "there")


def test_the_plan_says_what_so_many_items_can_show():
    page = plan_html(ARMS, 200, "")
    assert "200 items × 3 arms" in page
    assert "6.3%" in page  # 2.8 · √(0.1 / 200)
    assert "&lt;changed&gt;" in page


def test_figures_carry_the_numbers(engine, data, tmp_path):
    found = study.run(engine, study.load_items(data), DESIGN, tmp_path)
    figure = figures.forest(list(found.effects.values()), 0.02)
    (trace,) = figure["data"]
    assert trace["y"] == ["identity", "input <changed>", "noise"]
    assert trace["x"][0] == 0.0
    assert trace["error_x"]["array"][0] > 0
    (band,) = figure["layout"]["shapes"]
    assert (band["x0"], band["x1"]) == (-2.0, 2.0)
    assert figures.forest([], 0.02) is None


def test_a_studys_folder_goes_with_its_visit():
    folder = Folder()
    path = folder.path
    (path / "rows").mkdir()
    del folder
    gc.collect()
    assert not path.exists()


def test_the_data_as_a_command_line_names_it():
    assert Data(SCENES, None, "", 3, []).said == "scenes"
    assert Data(SCENES, None, "", 3, ["where", "count"]).said == "scenes:where,count"
    assert Data(PLACE, None, "mine", 3, []).said == "mine"
    assert Data(UPLOAD, "x.zip", "", 3, []).said == "YOUR-FILE"
