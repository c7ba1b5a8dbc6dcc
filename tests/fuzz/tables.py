"""Tables of a stranger's items: JSON, JSON Lines, CSV, TSV, Parquet, and archives of them."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

from core.errors import ImageError
from core.study import load_items
from gui.study_data import UPLOAD, items_of
from tests.fuzz.kind import Kind, Unnamed
from tests.fuzz.mutate import spoiled, spoiled_bytes, value
from tests.gui.fake_engine import painted

COLUMNS = (
    "image", "question", "answer", "options", "task", "id", "cluster", "box", "A", "B", "bbox",
    "conversations", "img", "label",
)  # fmt: skip
ROWS: list[dict[str, Any]] = [
    {"image": "a.png", "question": "What colour?", "answer": "red", "options": ["red", "blue"],
     "box": [1, 2, 9, 9], "task": "colour", "id": "one", "cluster": "c"},
    {"image": "b.png", "question": "Where?", "answer": "B", "A": "left", "B": "right"},
    {"image": "a.png", "conversations": [{"from": "human", "value": "<image>\nWhat?"},
                                         {"from": "gpt", "value": "It is \\boxed{red}."}]},
]  # fmt: skip


class Place:
    """A folder with two pictures, one of them damaged, in which tables are written."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.secret = folder / "in", folder / "secret.png"
        self.folder.mkdir(parents=True)
        painted("red").save(self.folder / "a.png")
        painted("blue").save(self.folder / "b.png")
        (self.folder / "c.png").write_bytes((self.folder / "a.png").read_bytes()[:60])
        painted("green").save(self.secret)

    def read(self, given: tuple[str, bytes]) -> None:
        """Read a table as an upload, and look at every picture of it."""
        name, data = given
        path = self.folder / name
        path.write_bytes(data)
        items = load_items(path, 50, inside=True)
        for problem in items.problems:
            if not problem.reason or "\n" in problem.reason[:200]:
                raise Unnamed(f"a row's problem is no sentence: {problem.reason[:200]!r}")
        for item in items:
            hash((item.id, item.question, item.answer, item.cluster, item.options, item.box))
            item.fingerprint()
            item.judge(item.answer)
            if item.picture is None:
                continue
            try:
                image = item.picture()
            except ImageError:
                continue
            if image.getpixel((8, 8)) == (0, 128, 0):
                raise Unnamed("a table read a picture that did not come with it")

    def unpack(self, data: bytes) -> None:
        """Read an uploaded archive; nothing lands beside the folder it is unpacked in."""
        archive, out = self.folder / "upload.zip", self.folder.parent / "out"
        archive.write_bytes(data)
        before = sorted(p.name for p in self.folder.parent.iterdir() if p != out)
        try:
            items_of(UPLOAD, str(archive), "", 20, [], out)
        finally:
            shutil.rmtree(out, ignore_errors=True)
            after = sorted(p.name for p in self.folder.parent.iterdir() if p != out)
            if before != after:
                raise Unnamed(f"an archive wrote beside its folder: {set(after) - set(before)}")


def rows(draw: random.Random) -> list[Any]:
    """Rows of which some fit, some nearly and some not at all."""
    found: list[Any] = list(ROWS)
    if draw.random() < 0.8:
        found = spoiled(draw, ROWS)
    if draw.random() < 0.5:
        found = [*(found if isinstance(found, list) else []),
                 {draw.choice(COLUMNS): value(draw) for _ in range(5)}
                 | {"question": "What?", "answer": "x"}]  # fmt: skip
    return found if isinstance(found, list) else [found]


def lines(draw: random.Random) -> tuple[str, bytes]:
    """JSON Lines."""
    text = "\n".join(json.dumps(row) for row in rows(draw)).encode()
    return "t.jsonl", spoiled_bytes(draw, text, 2) if draw.random() < 0.3 else text


def whole(draw: random.Random) -> tuple[str, bytes]:
    """One JSON text: a list, or an object that holds one."""
    found: Any = rows(draw)
    found = {"data": found} if draw.random() < 0.3 else found
    text = json.dumps(found if draw.random() < 0.9 else value(draw)).encode()
    if draw.random() < 0.02:
        text = draw.choice([b"[" * 100_000, b"[1" + b"0" * 9000 + b"]", b'{"a":' * 40_000])
    return "t.json", spoiled_bytes(draw, text, 2) if draw.random() < 0.3 else text


def separated(draw: random.Random) -> tuple[str, bytes]:
    """CSV or TSV."""
    kind = draw.choice(["csv", "tsv"])
    file = io.StringIO()
    writer = csv.writer(file, delimiter="," if kind == "csv" else "\t")
    names = draw.choices(COLUMNS, k=draw.randint(1, 7))
    writer.writerow(names if draw.random() < 0.3 else ["image", "question", "answer", "options"])
    for _ in range(draw.randint(0, 4)):
        cells = [value(draw) for _ in range(draw.randint(1, 5))]
        if draw.random() < 0.6:
            cells = ["a.png", "What?", "red", draw.choice(["red|blue", "", value(draw)])]
        writer.writerow([str(cell).replace("\x00", "") for cell in cells])
    data = file.getvalue().encode("utf-8", "replace")
    return f"t.{kind}", spoiled_bytes(draw, data, 3) if draw.random() < 0.4 else data


def parquet(seeds: list[bytes], draw: random.Random) -> tuple[str, bytes]:
    """A Parquet file, mostly with bytes changed."""
    return "t.parquet", spoiled_bytes(draw, draw.choice(seeds), 3)


def parquet_seeds() -> list[bytes]:
    """Sound Parquet files, with pictures inside and without."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = []
    picture = io.BytesIO()
    painted("red").save(picture, "PNG")
    for image in ({"bytes": picture.getvalue(), "path": "a.png"}, "a.png", b"none"):
        table = [{"image": image, "question": "What?", "answer": "red", "box": [0, 0, 4, 4]}] * 3
        file = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(table), file, row_group_size=2)
        out.append(file.getvalue())
    return out


def archive(draw: random.Random) -> bytes:
    """A zip of a table and a picture: its bytes changed, or built to do harm."""
    file = io.BytesIO()
    how = draw.choice([0, 8, 12, 14])
    with zipfile.ZipFile(file, "w", how) as out:
        if draw.random() < 0.9:
            folder = draw.choice(["", "x/", "a/b/", "../", "/"])
            out.writestr(folder + "items.jsonl", "\n".join(json.dumps(r) for r in rows(draw)))
        if draw.random() < 0.5:
            name = draw.choice(["../evil.txt", "/tmp/../evil", "x" * 300, "a/../../b", "con", "a"])
            out.writestr(name, b"x")
        if draw.random() < 0.05:
            out.writestr("bomb", bytes(2**24))
        if draw.random() < 0.1:
            link = zipfile.ZipInfo("a.png")
            link.external_attr = 0o120777 << 16
            out.writestr(link, "../secret.png")
    data = file.getvalue()
    return spoiled_bytes(draw, data, 3) if draw.random() < 0.6 else data


def kinds(folder: Path) -> list[Kind]:
    """The sorts of this file, which write into ``folder``."""
    place, seeds = Place(folder), parquet_seeds()
    return [
        Kind("items, JSON Lines", lines, place.read, 10),
        Kind("items, JSON", whole, place.read, 8),
        Kind("items, CSV and TSV", separated, place.read, 8),
        Kind("items, Parquet", lambda draw: parquet(seeds, draw), place.read, 8),
        Kind("items, archive", archive, place.unpack, 2),
    ]
