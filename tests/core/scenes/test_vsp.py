"""The VSP layout: the published set, the round trip, and files that mean harm."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from core import scenes
from core.errors import InputError, RecordError
from core.scenes import vsp, vsp_files

MAP = [[1, 0, 0], [-1, -1, 0], [2, 0, 0]]


def png(side: int = 48) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (200, 220, 240)).save(buffer, format="PNG")
    return buffer.getvalue()


def row(**changes: object) -> dict:
    plain = {
        "text_input": "Where to? <image> Go.",
        "image_input": "./data/vsp_spatial_planning/imgs_test/level3/img/0.png",
        "map_id": "0",
        "map_desc": MAP,
    }
    return {**plain, **changes}


def folder_of(root: Path, *lines: dict | str) -> Path:
    picture = root / "imgs_test/level3/img/0.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(png())
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (root / vsp.TABLE).write_text("\n".join(texts) + "\n")
    return root


def archive_of(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def test_the_published_set_is_read_whole_and_written_back_exactly(shared: Path, tmp_path: Path):
    source = shared / "data" / "vsp_spatial_planning_test.tar.gz"
    if not source.is_file():
        pytest.skip("needs the published VSP test set in ../shared/data")
    items = vsp.read(source)
    assert len(items) == 400
    assert items.problems == ()
    assert [sum(item.scene.size == n for item in items) for n in (3, 4, 5, 6)] == [100] * 4
    assert all(item.is_correct(f"I go \\boxed{{{item.answer}}}") for item in items)
    assert all(item.image.width == 64 * item.scene.size for item in items)
    vsp.write(items, tmp_path)
    assert vsp.read(tmp_path) == items
    with tarfile.open(source) as archive:
        for name in (vsp.TABLE, "imgs_test/level3/img/31.png", "imgs_test/level6/img/7.png"):
            published = archive.extractfile(name)
            assert published is not None
            assert (tmp_path / name).read_bytes() == published.read()


def test_own_boards_are_written_in_the_layout(tmp_path: Path):
    items = scenes.sample("plan", n=6)
    vsp.write(items, tmp_path)
    back = vsp.read(tmp_path)
    assert [item.scene.rows for item in back] == [item.scene.rows for item in items]
    assert [item.answer for item in back] == [item.answer for item in items]
    assert [item.image.tobytes() for item in back] == [item.image.tobytes() for item in items]
    assert all(item.text_input.count("<image>") == 1 for item in back)
    again = tmp_path / "again"
    vsp.write(back, again)
    assert (again / vsp.TABLE).read_bytes() == (tmp_path / vsp.TABLE).read_bytes()
    with pytest.raises(InputError, match="empty folder"):
        vsp.write(items, tmp_path)


def test_what_does_not_fit_the_layout_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="planning"):
        vsp.write(scenes.sample("where", n=1), tmp_path)
    twice = scenes.sample("plan", n=1) * 2
    with pytest.raises(InputError, match="map_id"):
        vsp.write(twice, tmp_path)


def test_a_folder_and_an_archive_give_the_same_items(tmp_path: Path):
    folder = folder_of(tmp_path / "set", row())
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder, arcname=".")
    (item,) = vsp.read(folder)
    assert vsp.read(tmp_path / "set.tar") == [item]
    assert item.question == "Where to?\n\nGo."
    assert item.answer == "R,R,D,D,L,L"
    assert item.evidence_box == (0, 0, 48, 48)
    assert item.target_cells == ()
    assert item.helper.size == item.image.size == (48, 48)
    assert item.helper.tobytes() != item.image.tobytes()
    assert item.render(100).size == (100, 100)
    assert item.sentence.startswith("The path goes through (1,1), (1,2)")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("\\boxed{R,R,D,D,L,L}", True),
        ("first \\boxed{D} then \\boxed{RRDDLL}", True),
        ("\\boxed{RRDDLL} no, \\boxed{D}", False),
        ("\\boxed{\\text{R, R, D, D, L, L}}", True),
        ("\\boxed{U, L, R, R, D, D, L, L}", True),  # off the map: stays in place
        ("\\boxed{R,R,D,D,L}", False),
        ("\\boxed{R,D,L}", False),
        ("\\boxed{}", False),
        ("\\boxed{R,R,D,D,L,L", False),
        ("R,R,D,D,L,L", True),  # the content of a box, already taken out
        ("I go R,R,D,D,L,L", False),
        ("", False),
    ],
)
def test_answers_are_checked_as_published(tmp_path: Path, text: str, right: bool):
    (item,) = vsp.read(folder_of(tmp_path, row()))
    assert item.is_correct(text) is right


BAD_ROWS = {
    "not JSON": "{",
    "exactly the fields": {"text_input": "x"},
    "is not a text": row(map_id=7),
    "not a list of rows": row(map_desc="1,2"),
    "not a whole number": row(map_desc=[[1.0, 2], [0, 0]]),
    "one start and one goal": row(map_desc=[[1, 1], [2, 0]]),
    "a square": row(map_desc=[[1, 2, 0]]),
    "only 1": row(map_desc=[[1, 2], [0, 9]]),
    "cannot be reached": row(map_desc=[[1, -1], [-1, 2]]),
    "is missing": row(image_input="./data/vsp_spatial_planning/imgs_test/level3/img/1.png"),
    "not a path of a PNG": row(image_input="../../etc/passwd"),
    "longer than 1 MB": row(text_input="x" * (1 << 20)),
}


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_a_bad_row_is_skipped_and_reported_by_its_line(tmp_path: Path, reason: str):
    folder = folder_of(tmp_path, row(), "", BAD_ROWS[reason], row())
    with pytest.warns(UserWarning, match=r"1 of 3 rows .* line 3: "):
        items = vsp.read(folder)
    assert len(items) == 2
    ((line, why),) = items.problems
    assert line == 3
    assert reason in why


@pytest.mark.parametrize(
    "name", ["/etc/x.png", "../x.png", "a/../../x.png", "C:\\x.png", "a\x00.png", "x.txt", ""]
)
def test_a_path_that_leads_out_is_never_followed(tmp_path: Path, name: str):
    with pytest.raises(RecordError, match="no usable map"):
        vsp.read(folder_of(tmp_path, row(image_input=name)))


def test_a_link_out_of_the_folder_is_never_followed(tmp_path: Path):
    (tmp_path / "secret.png").write_bytes(png())
    folder = folder_of(tmp_path / "set", row(image_input="link.png"))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(RecordError, match="leads out"):
        vsp.read(folder)


@pytest.mark.parametrize("content", [b"", b"GIF89a", png()[:40], png()[:60] + b"\x00" * 30])
def test_a_damaged_picture_is_reported(tmp_path: Path, content: bytes):
    folder = folder_of(tmp_path, row())
    (folder / "imgs_test/level3/img/0.png").write_bytes(content)
    with pytest.raises(RecordError, match="damaged"):
        vsp.read(folder)


def test_a_picture_of_absurd_size_is_not_decoded(tmp_path: Path):
    folder = folder_of(tmp_path, row())
    buffer = io.BytesIO()
    Image.new("1", (5000, 5000)).save(buffer, format="PNG")
    (folder / "imgs_test/level3/img/0.png").write_bytes(buffer.getvalue())
    with pytest.raises(RecordError, match="wider or higher"):
        vsp.read(folder)


def test_links_and_climbing_names_in_an_archive_are_passed_over(tmp_path: Path):
    link = tarfile.TarInfo("imgs_test/level3/img/0.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path = archive_of(
        tmp_path / "set.tar.gz",
        [
            (link, b""),
            member("../out.png", png()),
            member("good.png", png()),
            member(
                vsp.TABLE,
                "\n".join(
                    json.dumps(r)
                    for r in (
                        row(),
                        row(image_input="../out.png"),
                        row(image_input="out.png"),
                        row(image_input="good.png"),
                    )
                ).encode(),
            ),
        ],
    )
    with pytest.warns(UserWarning, match="3 of 4 rows"):
        items = vsp.read(path)
    assert [problem.line for problem in items.problems] == [1, 2, 3]
    assert "not a plain file" in items.problems[0].reason
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.tar.gz"]


def test_an_archive_that_unpacks_without_end_is_stopped(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(vsp_files, "LARGEST_ARCHIVE", 4 << 20)
    path = archive_of(tmp_path / "bomb.tar.gz", [member("zeros.bin", bytes(16 << 20))])
    assert path.stat().st_size < 100_000
    with pytest.raises(RecordError, match="unpacks to more"):
        vsp.read(path)


def test_a_huge_header_is_stopped_too(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(vsp_files, "LARGEST_ARCHIVE", 4 << 20)
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.XHDTYPE, 1 << 34
    with gzip.open(tmp_path / "bomb.tar.gz", "wb") as out:
        out.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(16 << 20))
    with pytest.raises(RecordError, match="unpacks to more"):
        vsp.read(tmp_path / "bomb.tar.gz")


def test_too_large_and_too_many_members_are_refused(tmp_path: Path, monkeypatch):
    table = member(vsp.TABLE, json.dumps(row(image_input="a.png")).encode())
    path = archive_of(tmp_path / "set.tar.gz", [member("a.png", png()), table])
    monkeypatch.setattr(vsp_files, "LARGEST_PICTURE", 10)
    with pytest.raises(RecordError, match="larger than"):
        vsp.read(path)
    monkeypatch.setattr(vsp_files, "MOST_MEMBERS", 1)
    with pytest.raises(RecordError, match="members"):
        vsp.read(path)


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b\x08 broken"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "set.tar.gz").write_bytes(content)
    with pytest.raises(RecordError, match=r"set\.tar\.gz"):
        vsp.read(tmp_path / "set.tar.gz")


def test_a_place_without_a_table_is_refused(tmp_path: Path):
    with pytest.raises(RecordError, match="test_direct"):
        vsp.read(tmp_path)
    with pytest.raises(RecordError, match="There is no VSP set"):
        vsp.read(tmp_path / "nowhere")
