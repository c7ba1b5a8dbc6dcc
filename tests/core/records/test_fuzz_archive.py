"""Whatever stands in a session file, opening it gives a session or one sentence.

``ZSCOPE_FUZZ=50000`` tries that many inputs of each sort; without it the run is short and the
same every time.
"""

import copy
import io
import json
import os
import random
import struct
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import RecordError
from core.records.archive import Limits, load, save

INPUTS = int(os.environ.get("ZSCOPE_FUZZ", "0"))
# small enough that a declared size which is believed would be seen as a slow test
LIMITS = Limits(entry_bytes=2**24, all_bytes=2**25, image_pixels=2**20, all_pixels=2**22)
fuzzed = settings(
    max_examples=INPUTS or 100,
    derandomize=not INPUTS,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 20),
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**400, -0.0, 1e308, 5e-324, 0.5]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["inf", "-inf", "nan", "", "\x00", "\ud800", "\u202e", "<script>", "../x", "a" * 300]
    ),
    st.text(max_size=8),
    st.lists(st.integers(-2, 9), max_size=9),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=3),
    st.just([[[[]]]]),
)


def opened(data: bytes) -> bool:
    """Whether ``data`` opens; anything but a session or a RecordError is a failure."""
    try:
        session = load(data, LIMITS)
    except RecordError as error:
        sentence = str(error)
        assert sentence.isprintable(), sentence
        assert sentence.endswith("."), sentence
        assert len(sentence) < 500, sentence
        return False
    # what opens can be used and saved, and opens again as it was
    file = io.BytesIO()
    save(file, session.traces, session.images, session.meta)
    again = io.BytesIO()
    back = load(file.getvalue())
    save(again, back.traces, back.images, back.meta)
    assert again.getvalue() == file.getvalue()
    for trace in session.traces:
        assert len(trace.is_latent) == len(trace.pieces)
        for receipt in trace.receipts:
            assert all(d.step < len(trace.spans[receipt.span]) for d in receipt.doses)
    return True


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path of every value inside ``value``."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = [path] if path else []
    for key, item in inside:
        found += places(item, (*path, key))
    return found


def mutated(plain: dict, draw: st.DataObject) -> dict:
    """``plain`` with one to three values replaced, removed, doubled or swapped."""
    for _ in range(draw.draw(st.integers(1, 3))):
        paths = places(plain)
        if not paths:
            break
        path = draw.draw(st.sampled_from(paths))
        here = plain
        for key in path[:-1]:
            here = here[key]
        match draw.draw(st.sampled_from(["replace", "remove", "double", "swap"])):
            case "replace":
                here[path[-1]] = copy.deepcopy(draw.draw(HOSTILE))
            case "remove":
                del here[path[-1]]
            case "double" if isinstance(here, list):
                here.append(copy.deepcopy(here[path[-1]]))
            case "double":
                here[f"{path[-1]}_"] = copy.deepcopy(here[path[-1]])
            case "swap":
                donor = draw.draw(st.sampled_from(paths))
                there = plain
                try:
                    for key in donor:
                        there = there[key]
                except (KeyError, IndexError, TypeError):
                    continue
                here[path[-1]] = copy.deepcopy(there)
    return plain


@pytest.fixture(scope="session")
def stored(entries, zipped) -> bytes:
    """The good file without compression: a changed byte lands in what it is meant for."""
    return zipped(entries)


@fuzzed
@given(data=st.data())
def test_changed_bytes(saved, stored, data):
    content = bytearray(data.draw(st.sampled_from([saved, stored])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "set", "cut", "insert", "repeat", "number"])):
            case "flip":
                content[place] ^= 1 << data.draw(st.integers(0, 7))
            case "set":
                content[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
            case "cut":
                del content[place : place + data.draw(st.integers(1, 64))]
            case "insert":
                content[place:place] = data.draw(st.binary(min_size=1, max_size=16))
            case "repeat":
                content[place:place] = content[place : place + data.draw(st.integers(1, 64))]
            case "number":
                content[place : place + 4] = struct.pack(
                    "<I", data.draw(st.sampled_from([0, 1, 2**16 - 1, 2**31, 2**32 - 1]))
                )
        if not content:
            break
    opened(bytes(content))


@fuzzed
@given(data=st.data())
def test_changed_fields_of_the_zip(saved, data):
    """Headers and directory only, where a change is not caught by a checksum."""
    content = bytearray(saved)
    marks = [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"]
    starts = [i for mark in marks for i in range(len(saved)) if saved.startswith(mark, i)]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(starts)) + data.draw(st.integers(4, 70))
        for offset in range(data.draw(st.integers(1, 4))):
            if place + offset < len(content):
                content[place + offset] = data.draw(st.integers(0, 255))
    opened(bytes(content))


@fuzzed
@given(data=st.data())
def test_changed_json(entries, zipped, data):
    plain = mutated(json.loads(entries["session.json"]), data)
    opened(zipped({**entries, "session.json": json.dumps(plain).encode()}))


@fuzzed
@given(data=st.data())
def test_changed_tensors(entries, zipped, data):
    content = entries["tensors.safetensors"]
    (length,) = struct.unpack("<Q", content[:8])
    header = mutated(json.loads(content[8 : 8 + length]), data)
    body = bytearray(content[8 + length :])
    if data.draw(st.booleans()):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    text = json.dumps(header).encode()
    opened(
        zipped(
            {**entries, "tensors.safetensors": struct.pack("<Q", len(text)) + text + bytes(body)}
        )
    )


@fuzzed
@given(data=st.data())
def test_changed_entries(entries, zipped, data):
    """Sound zips whose entries are garbled: past the checksums, into every parser."""
    changed = dict(entries)
    name = data.draw(st.sampled_from(sorted(entries)))
    content = bytearray(entries[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        if not content:
            break
    changed[name] = bytes(content)
    opened(zipped(changed))


@fuzzed
@given(data=st.binary(max_size=200), seed=st.integers(0, 2**32))
def test_random_bytes(data, seed):
    assert not opened(data)
    noise = random.Random(seed).randbytes(2000)
    assert not opened(b"PK\x03\x04" + noise + b"PK\x05\x06" + noise[:18])


def test_the_good_file_opens(saved, stored):
    assert opened(saved)
    assert opened(stored)
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        assert archive.testzip() is None
