"""``.zscope`` files: bytes changed, records changed, archives built to do harm."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import torch
from PIL import Image

from core.records import Edit, load, save
from core.records.archive import Limits
from core.records.picture import fingerprint
from gui.bounds import Bounds
from gui.keeping import fill_visit, save_visit
from gui.visits import Visit
from tests.fuzz.kind import Kind, Unnamed
from tests.fuzz.mutate import spoiled, spoiled_bytes
from tests.gui.fake_engine import FakeEngine, painted

LIMITS = Limits(entry_bytes=2**22, all_bytes=2**23, image_pixels=2**18, all_pixels=2**20)
JSON, TENSORS = "session.json", "tensors.safetensors"
NAMES = (
    "../../outside", "/etc/cron.d/x", "C:\\x", "..\\x", "session.json", "a/" * 200, "x\x00.png",
    "images/" + "f" * 64 + ".png", "tensors.safetensors/../x", "\u202egnp.exe", "", ".", "images/",
)  # fmt: skip


def good() -> bytes:
    """A visit's session with a run, an edited one and all that the page keeps beside them."""
    engine, visit = FakeEngine(), Visit()
    visit.image = painted("red")
    run = engine.run(visit.image, "What colour is the disc?")
    visit.begin(run)
    child = engine.branch(run, [Edit("gaussian", steps=[1], dose=0.5), Edit("swap", donor=run)])
    visit.grow(child, "noise", run.id)
    visit.scores[run.id] = {"red": -0.5, "blue": -2.0}
    visit.asked, visit.options, visit.steps = "What colour is the disc?", ("red", "blue"), (0, 1)
    visit.beside["trails"] = {(run.id, 0): [(0, 1), None, (2, 3)]}
    file = io.BytesIO()
    save_visit(visit, file, "models/x", "fake", "ex=1")
    return file.getvalue()


def packed(entries: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    """A sound zip of entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, how)
    return file.getvalue()


def opened(data: bytes) -> None:
    """Open a session as the page does, put it on a screen, and save and open it again.

    Raises:
        Unnamed: what was opened does not come back as it was.
    """
    session = load(data, LIMITS)
    visit = Visit(bounds=Bounds.hosted())
    fill_visit(visit, session, fresh=True)
    assert visit.baseline is not None
    file = io.BytesIO()
    save_visit(visit, file, "models/x", "fake")
    back = load(file.getvalue())
    if [t.token_ids for t in back.traces] != [t.token_ids for t in session.traces]:
        raise Unnamed("a session that opened was saved as another")
    for trace in back.traces:
        for span in trace.spans:
            if span.latents.shape[0] != len(span):
                raise Unnamed("a span has another number of latents than steps")


class Drawn:
    """Draws spoiled sessions from a good one."""

    def __init__(self) -> None:
        self.good = good()
        with zipfile.ZipFile(io.BytesIO(self.good)) as archive:
            self.entries = {name: archive.read(name) for name in archive.namelist()}
        self.stored = packed(self.entries)
        content = self.entries[TENSORS]
        (length,) = struct.unpack("<Q", content[:8])
        self.header = json.loads(content[8 : 8 + length])
        self.body = content[8 + length :]

    def bytes(self, draw: random.Random) -> bytes:
        """Bytes of the file changed, compressed or not."""
        return spoiled_bytes(draw, draw.choice([self.good, self.stored]))

    def directory(self, draw: random.Random) -> bytes:
        """Fields of the zip's own headers, which no checksum guards."""
        content = bytearray(self.stored)
        marks = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")
        starts = [i for m in marks for i in range(len(content)) if content.startswith(m, i)]
        for _ in range(draw.randint(1, 3)):
            place = draw.choice(starts) + draw.randint(4, 70)
            for offset in range(draw.randint(1, 4)):
                if place + offset < len(content):
                    content[place + offset] = draw.randrange(256)
        return bytes(content)

    def records(self, draw: random.Random) -> bytes:
        """The JSON of the records changed, in a sound zip."""
        plain = spoiled(draw, json.loads(self.entries[JSON]))
        return packed({**self.entries, JSON: json.dumps(plain).encode()})

    def tensors(self, draw: random.Random) -> bytes:
        """Dtypes, shapes and offsets of tensors changed, and numbers that are none put in."""
        header, body = self.header, bytearray(self.body)
        if draw.random() < 0.7:
            header = spoiled(draw, header)
        if draw.random() < 0.5:
            place = 4 * draw.randrange(len(body) // 4)
            hostile = draw.choice([float("nan"), float("inf"), -float("inf"), 3e38, 1e-45])
            body[place : place + 4] = struct.pack("<f", hostile)
        if draw.random() < 0.2 and isinstance(header, dict) and header:
            names = [n for n in header if isinstance(header[n], dict)]
            if names:
                name = draw.choice(names)
                shape = draw.choice([[2**40, 4], [0, 4], [-1], [2**31, 2**31], [1] * 70, []])
                header = {**header, name: {**header[name], "shape": shape}}
        text = json.dumps(header).encode()
        length = len(text) if draw.random() < 0.95 else draw.choice([0, 2**31, 2**63, 2**64 - 1])
        return packed({**self.entries, TENSORS: struct.pack("<Q", length) + text + bytes(body)})

    def harm(self, draw: random.Random) -> bytes:
        """Bombs, names that lead elsewhere, doubled and missing entries, nested archives."""
        entries, how = dict(self.entries), draw.choice([0, 8, 12, 14])
        match draw.randrange(6):
            case 0:
                entries[draw.choice([JSON, TENSORS])] = bytes(draw.choice([2**23, 2**24]))
                how = 8
            case 1:
                entries[draw.choice(NAMES)] = draw.choice([b"x", self.entries[JSON]])
            case 2:
                del entries[draw.choice(sorted(entries))]
            case 3:
                entries = {f"images/{n:064x}.png": b"" for n in range(draw.choice([1, 5000]))}
                entries |= self.entries
            case 4:
                picture = io.BytesIO()
                size = draw.choice([(3000, 3000), (1, 20000), (1, 1)])
                Image.new("1", size).save(picture, draw.choice(["PNG", "TIFF", "GIF"]))
                for name in [n for n in entries if n.endswith(".png")]:
                    entries[name] = picture.getvalue()
            case 5:
                deep = ["[" * 50_000, '{"a":' * 20_000, "1" * 20_000, '"' + "a" * 2**20]
                entries[JSON] = draw.choice(deep).encode()
        return packed(entries, how)


def tables() -> Iterator[torch.Tensor]:
    """Values that stand where a tensor of latents does, for records made by a program."""
    for bad in (float("nan"), float("inf")):
        table = torch.zeros(3, 4)
        table[1, 2] = bad
        yield table
    yield from (torch.zeros(0, 4), torch.zeros(3), torch.zeros(2, 4), torch.zeros(3, 4, 2))
    yield from (torch.zeros(3, 4, dtype=torch.int64), torch.zeros(3, 4, dtype=torch.complex64))


def resaved(table: torch.Tensor) -> None:
    """A run whose latents are ``table``, saved and opened."""
    run = FakeEngine().run(painted("red"), "What colour is the disc?")
    spans = (replace(run.spans[0], latents=table), *run.spans[1:])
    file = io.BytesIO()
    picture = painted("red")
    save(file, [replace(run, spans=spans)], {fingerprint(picture): picture})
    load(file.getvalue())


def kinds() -> list[Kind]:
    """The sorts of this file."""
    drawn, made = Drawn(), list(tables())
    return [
        Kind("session, bytes", drawn.bytes, opened, 14),
        Kind("session, zip headers", drawn.directory, opened, 10),
        Kind("session, records", drawn.records, opened, 24),
        Kind("session, tensors", drawn.tensors, opened, 10),
        Kind("session, made to harm", drawn.harm, opened, 1),
        Kind("session, saved by a program", lambda draw: draw.choice(made), resaved, 1),
    ]
