"""A session that uses every field a record has, small enough to break in a thousand ways."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from PIL import Image

from core.records.archive import save
from core.records.edit import Edit
from core.records.picture import fingerprint
from core.records.receipt import Dose, Receipt
from core.records.settings import Settings
from core.records.span import Span
from core.records.trace import Prompt, Timings, Trace


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    return Image.frombytes("RGB", (5, 3), bytes(range(45)))


@pytest.fixture(scope="session")
def family(picture: Image.Image) -> tuple[Trace, Trace]:
    """A run with two spans, and its child with one edit of each sort."""
    draw = torch.Generator().manual_seed(0)

    def table(rows: int) -> torch.Tensor:
        return torch.randn(rows, 4, generator=draw)

    parent = Trace(
        prompt=Prompt(
            question="Where is <b>the cup</b>?\r\n\tجواب 答え",
            system="Answer & explain.",
            text="<|im_start|>user\nWhere…",
            image_hash=fingerprint(picture),
            image_size=(5, 3),
            grid=(1, 2),
            input_ids=(151644, 0, 2**31 - 1),
        ),
        family="monet",
        model="models/ünï/中",
        revision="0f" * 20,
        settings=Settings(
            budget=3,
            force_latents=True,
            forbid_latents=False,
            seed=2**64 - 1,
            temperature=0.1 + 0.2,
            top_p=0.95,
            top_k=40,
            max_new_tokens=9,
            strategy="latent",
            end_threshold=1e-7,
            criterion="cosine",
            dtype="bfloat16",
            attention="eager",
            device="cuda:0",
        ),
        token_ids=(7, 8, 9, 10, 11, 12, 13),
        sampled_ids=(7, 1, 2, 3, 11, 4, 13),
        pieces=("<start>", "", "", "", "\n", "", "left"),
        spans=(
            Span(1, table(3), table(3), "count"),
            Span(5, table(1), table(1), "length"),
        ),
        logprobs=(-0.1, -1e-45, 0.0, -float("inf"), -3.0000000000000004, -2.0, -0.0),
        top=(((7, -0.1), (8, -2.5)), (), ((1, -float("inf")),), (), (), (), ((13, 0.0),)),
        text="left",
        answer="left",
        answer_problem="two answers",
        imagined=(0, 4),
        ended_by="length",
        option_scores=(("left", -0.5), ("right", -float("inf"))),
        timings=Timings(0.125, 1 / 3, 8),
        parent=None,
        id="parent-1",
    )
    edits = (
        Edit("gaussian", steps=[0, 2], dose=1, seed=-3, renorm=True, mode="pinned"),
        Edit("rotation", angle=-30.5, span=1, mode="cached"),
        Edit("swap", donor=parent),
        Edit("slerp", donor=table(2), donor_id="other", fraction=0.25),
        Edit("manual", values=table(1)[0]),
        Edit("permute", order=[2, 0, 1]),
        Edit("extend", count=5),
        Edit("token embedding", token="cup"),
        Edit("filler", token=17),
        Edit("image patch", patch=(0, 1)),
        Edit("words", text="a cup\non a table"),
        Edit("slot", donor=parent, layers=(1, 3), part="keys"),
        Edit("knockout", source="answer", target="latents"),
        Edit("sham", dose=0.5, places=(0, 2)),
    )
    doses = (
        Dose(0, 1.0, 0.5, 1.25, 99.5, 0.01),
        Dose(2, float("inf"), 0.0, float("inf"), None, None),
    )
    child = replace(
        parent,
        edits=edits,
        receipts=(
            Receipt("gaussian", "pinned", 0, doses, "as asked"),
            Receipt("words", "cached", 9),
            Receipt("sham", "pinned", 0, (Dose(0, 0.5, 0.9, 1.0, None, 0.2, place=2),)),
        ),
        parent=parent.id,
        lineage=((Edit("zero"),), edits),
        logits=torch.zeros(7, 2),
        top=(),
        id="child_2",
    )
    return parent, child


@pytest.fixture(scope="session")
def saved(family: tuple[Trace, Trace], picture: Image.Image) -> bytes:
    """The bytes of a good file."""
    file = io.BytesIO()
    save(file, family, {fingerprint(picture): picture}, {"title": "Cup", "steps": [1, 2.5, None]})
    return file.getvalue()


@pytest.fixture(scope="session")
def entries(saved: bytes) -> dict[str, bytes]:
    """What stands in the good file, by name."""
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="session")
def zipped() -> Callable[[dict[str, bytes]], bytes]:
    """Makes a sound zip of any entries."""

    def make(entries: dict[str, bytes]) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in entries.items():
                archive.writestr(zipfile.ZipInfo(name), data)
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def same() -> Callable[[object, object], bool]:
    """Whether two records are equal to the last bit: types, floats' signs and tensors too."""

    def compare(one: object, other: object) -> bool:
        if type(one) is not type(other):
            return False
        if isinstance(one, torch.Tensor):
            return (
                one.dtype == other.dtype
                and one.shape == other.shape
                and (one.contiguous().numpy().tobytes() == other.contiguous().numpy().tobytes())
            )
        if isinstance(one, float):
            return repr(one) == repr(other)
        if isinstance(one, tuple):
            return len(one) == len(other) and all(map(compare, one, other))
        if hasattr(one, "__dataclass_fields__"):
            names = set(one.__dataclass_fields__) - {"logits"}
            return all(compare(getattr(one, n), getattr(other, n)) for n in names)
        return one == other

    return compare
