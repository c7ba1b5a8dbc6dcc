"""Every way a session file can be bad that somebody thought of, each with its sentence."""

import copy
import io
import json
import os
import pickle
import stat
import struct
import time
import tracemalloc
import zipfile
import zlib

import pytest
import torch
from PIL import Image

from core.errors import RecordError
from core.records.archive import Limits, load, unpack
from core.records.picture import fingerprint, to_png

SESSION, TENSORS = "session.json", "tensors.safetensors"


def refused(data: bytes | str | os.PathLike, told: str, limits: Limits | None = None) -> None:
    with pytest.raises(RecordError) as caught:
        load(data, limits)
    sentence = str(caught.value)
    assert told in sentence
    assert "cannot be opened: " in sentence
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert len(sentence) < 400


@pytest.fixture
def broken(entries, zipped):
    """A file whose session.json was changed: ``broken(path, value)`` sets what stands there."""

    def make(*path, value):
        plain = json.loads(entries[SESSION])
        here = plain
        for key in path[:-1]:
            here = here[key]
        if value is KeyError:
            del here[path[-1]]
        else:
            here[path[-1]] = value
        return zipped({**entries, SESSION: json.dumps(plain).encode()})

    return make


# ── the zip ─────────────────────────────────────────────────────────────────────────────────


def test_not_a_file(tmp_path):
    refused(tmp_path / "nowhere.zscope", "“nowhere.zscope” cannot be opened: No such file")
    refused(tmp_path, "it is not a file")
    refused("a\0b.zscope", "cannot be opened")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        refused(tmp_path / "pipe", "it is not a file")


def test_not_a_zip():
    refused(b"", "cut off, or is not a session")
    refused(bytes(1000), "cut off, or is not a session")
    refused(b"PK\x05\x06" + bytes(18), "session.json is missing")
    refused(pickle.dumps({"a": 1}), "cut off, or is not a session")


def test_the_name_of_the_file_is_told_harmlessly(tmp_path):
    path = tmp_path / "evil\x1b[31m\u202e<b>.zscope"
    path.write_bytes(b"no")
    refused(path, "“evil\ufffd[31m\ufffd<b>.zscope”")


def test_cut_off_anywhere(saved):
    for stop in range(0, len(saved), 97):
        refused(saved[:stop], "cannot be opened")
    refused(saved[:-1], "cut off")


def test_something_before_or_behind(saved):
    refused(b"#!/bin/sh\n" + saved, "directory is damaged")
    refused(saved + b"more", "cut off, or is not a session")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\windows\\evil.dll",
        "images/../session.json",
        "images/" + "0" * 64 + ".svg",
        "images/" + "A" * 64 + ".png",
        "images/" + "0" * 64 + ".png\n",
        "images/",
        "Session.json",
        "model.pt",
        "session.json/",
        "a\x1b[2J" * 50,
    ],
)
def test_entries_that_do_not_belong(entries, zipped, name):
    refused(zipped({**entries, name: b"x"}), "does not belong in a session")


def test_a_name_behind_a_null_byte(entries, zipped):
    data = zipped({**entries, "images/" + "0" * 63 + "_.png": b"x"})
    for name in (b"0_.png", b"0_.png"):
        data = data.replace(name, b"0\0.png")
    refused(data, "does not belong")
    data = zipped({SESSION: entries[SESSION], TENSORS: entries[TENSORS], "session.json_b": b"x"})
    refused(data.replace(b"session.json_b", b"session.json\0b"), "which is no plain name")


def test_missing_entries(entries, zipped):
    for name in (SESSION, TENSORS):
        refused(zipped({k: v for k, v in entries.items() if k != name}), f"{name} is missing")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_entries(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in (SESSION, TENSORS, SESSION):
            archive.writestr(name, entries[name])
    refused(file.getvalue(), "“session.json” twice")


def with_directory(data: bytes, offset: int, form: str, value: int, entry: int = 0) -> bytes:
    """``data`` with a field of the ``entry``-th directory record set to ``value``."""
    place = -1
    for _ in range(entry + 1):
        place = data.index(b"PK\x01\x02", place + 1)
    changed = bytearray(data)
    struct.pack_into(form, changed, place + offset, value)
    return bytes(changed)


def test_links_and_other_things_that_are_no_files(saved):
    for kind in (stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR):
        refused(with_directory(saved, 38, "<I", (kind | 0o777) << 16), "that is no file")


def test_encrypted_entries(saved):
    for flag in (0x1, 0x41, 0x2000):
        refused(with_directory(saved, 8, "<H", flag), "is encrypted")


def test_other_compressions(entries):
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, data in entries.items():
                archive.writestr(name, data)
        refused(file.getvalue(), "compressed in a way")


def test_sizes_that_are_not_true(saved, entries):
    # the tensors are stored: their two sizes are one
    refused(with_directory(saved, 24, "<I", 2**31, entry=1), "has two sizes")
    for size, told in ((3 * 2**20, "far more than its size"), (2**31, "unpacks to 2,147,483,648")):
        refused(with_directory(saved, 24, "<I", size), told)
    short = len(entries[SESSION]) - 1
    refused(with_directory(saved, 24, "<I", short), "“session.json” in it is damaged")
    refused(with_directory(saved, 24, "<I", short + 2), "“session.json” in it is")


def test_a_bomb_is_not_unpacked(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SESSION, b" " * 60 * 2**20)
        archive.writestr(TENSORS, entries[TENSORS])
    tracemalloc.start()
    refused(file.getvalue(), "zip bomb")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    refused(file.getvalue(), "are allowed", Limits(ratio=2000, entry_bytes=2**20))
    refused(file.getvalue(), "unpacks to", Limits(ratio=2000, all_bytes=2**20))


def test_a_bomb_that_lies_about_its_size(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SESSION, b" " * 60 * 2**20)
        archive.writestr(TENSORS, entries[TENSORS])
    small = with_directory(file.getvalue(), 24, "<I", 1000)
    tracemalloc.start()
    refused(small, "is damaged")
    assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    tracemalloc.stop()


def test_more_entries_than_allowed(saved, entries, zipped):
    refused(saved, "it holds 3 files; 2 are allowed", Limits(entries=2))
    # a directory with room for a million entries, of which three are owned up to
    place, end = saved.index(b"PK\x01\x02"), saved.index(b"PK\x05\x06")
    filler = saved[place:end] * 2000
    tail = bytearray(saved[end:])
    struct.pack_into("<I", tail, 12, len(filler))
    refused(saved[:place] + filler + bytes(tail), "directory is damaged")


def test_zip64(saved):
    end = saved.index(b"PK\x05\x06")
    refused(saved[:end] + b"PK\x06\x07" + bytes(16) + saved[end:], "not a zip as Zscope writes it")


def test_longer_than_allowed(saved, tmp_path):
    told = "are allowed"
    refused(saved, told, Limits(file_bytes=1000))
    (tmp_path / "a.zscope").write_bytes(saved)
    refused(tmp_path / "a.zscope", told, Limits(file_bytes=1000))
    refused(io.BytesIO(saved), told, Limits(file_bytes=1000))


def test_a_flipped_bit_in_what_is_packed_is_seen(saved):
    # between the headers every bit is under a checksum
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        for info in archive.infolist():
            start = info.header_offset + 30 + len(info.filename)
            for place in range(start, start + info.compress_size, 13):
                changed = bytearray(saved)
                changed[place] ^= 0x10
                refused(bytes(changed), f"“{info.filename[:60]}")


# ── the JSON ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"{} {}", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON in UTF-8"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"format": "zscope", "format": "zscope"}', "“format” twice"),
        (b'{"a": {"b": 1, "b": 2}}', "“b” twice"),
        (b'{"a": NaN}', "NaN, which is no number"),
        (b'{"a": [-Infinity]}', "-Infinity, which is no number"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b"{}", "not a session of Zscope"),
        (b'{"format": "zscope", "version": true, "traces": [], "meta": {}}', "not a session"),
        (b'{"format": "zscope", "version": 2, "traces": [], "meta": {}}', "update Zscope"),
        (b'{"format": "other", "version": 1, "traces": [], "meta": {}}', "not a session"),
        (b'{"format": "zscope", "version": 1, "traces": []}', "four fields"),
        (b'{"format": "zscope", "version": 1, "traces": {}, "meta": {}}', "not a list"),
        (b'{"format": "zscope", "version": 1, "traces": [], "meta": []}', "meta is not"),
        (
            b'{"format": "zscope", "version": 1, "traces": [], "meta": {"a": 1e999}}',
            "meta.a is inf",
        ),
        (b'{"format": "zscope", "version": 1, "traces": [], "meta": {"\\u0000": 1}}', "a key of"),
        (b'{"format": "zscope", "version": 1, "traces": [[]], "meta": {}}', "is a list, not an"),
        (b'{"format": "zscope", "version": 1, "traces": [{}], "meta": {}}', "lacks the field"),
    ],
)
def test_json(entries, zipped, text, told):
    refused(zipped({**entries, SESSION: text}), told)


def test_many_duplicate_keys_take_no_time(entries, zipped):
    keys = ",".join(f'"{i}":0' for i in range(200_000))
    start = time.process_time()
    refused(zipped({**entries, SESSION: f'{{{keys},"199999":0}}'.encode()}), "twice")
    assert time.process_time() - start < 5


def test_more_values_than_allowed(entries, zipped):
    many = b'{"a": [' + b"[]," * 10_000 + b"[]]}"
    refused(zipped({**entries, SESSION: many}), "more than", Limits(json_values=10_000))


TRACE = ("traces", 0)
CHILD = ("traces", 1)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        # types
        ((*TRACE, "token_ids"), "7", "traces[0].token_ids is “7”, not a list"),
        ((*TRACE, "token_ids", 2), True, "token_ids[2] is True, not a whole number"),
        ((*TRACE, "token_ids", 2), 1.0, "token_ids[2] is 1.0, not a whole number"),
        ((*TRACE, "token_ids", 2), -1, "token_ids[2] is -1"),
        ((*TRACE, "token_ids", 2), 2**31, "token_ids[2] is 2147483648"),
        ((*TRACE, "token_ids", 2), 10**300, "more than 20 digits"),
        ((*TRACE, "sampled_ids"), [1], "1 values for 7 tokens"),
        ((*TRACE, "pieces"), ["a"] * 8, "8 values for 7 tokens"),
        ((*TRACE, "pieces", 0), None, "pieces[0] is None, not a text"),
        ((*TRACE, "logprobs"), [], "0 values for 7 tokens"),
        ((*TRACE, "logprobs", 3), "inf", "logprobs[3]"),
        ((*TRACE, "logprobs", 3), "NaN", "logprobs[3]"),
        ((*TRACE, "logprobs", 3), 1.0, "logprobs[3] is 1.0"),
        ((*TRACE, "logprobs", 3), False, "logprobs[3] is False"),
        ((*TRACE, "top"), [[]], "1 values for 7 tokens"),
        ((*TRACE, "top", 0), [1], "not a list of at most 1000 pairs"),
        ((*TRACE, "top", 0), [1, 2, 3, "x"], "top[0]"),
        ((*TRACE, "top", 0), {}, "top[0]"),
        ((*TRACE, "text"), 1, "text is 1, not a text"),
        ((*TRACE, "answer"), [], "answer is a list, not a text"),
        ((*TRACE, "imagined"), [1], "imagined has 1 values; 2 are allowed"),
        ((*TRACE, "imagined"), [5, 4], "not a stretch"),
        ((*TRACE, "imagined"), [0, 8], "not a stretch"),
        ((*TRACE, "ended_by"), "magic", "ended_by is “magic”, not one of eos"),
        ((*TRACE, "option_scores", 0), ["left"], "not a pair"),
        ((*TRACE, "option_scores", 0), ["left", "right"], "option_scores[0][1]"),
        ((*TRACE, "family"), "mo\x1bnet", "family is “mo\ufffdnet”, not a name"),
        ((*TRACE, "family"), None, "family is None, not a name"),
        ((*TRACE, "model"), "m" * 5000, "not a name"),
        ((*TRACE, "revision"), "a\nb", "not a name"),
        ((*TRACE, "id"), "../a", "not of the right form"),
        ((*TRACE, "id"), "", "not of the right form"),
        ((*TRACE, "parent"), "a b", "not of the right form"),
        ((*TRACE, "prompt"), [], "prompt is a list, not an object"),
        ((*TRACE, "prompt", "image_hash"), "0" * 63, "not of the right form"),
        ((*TRACE, "prompt", "image_size"), [5, -3], "image_size[1] is -3"),
        ((*TRACE, "prompt", "image_size"), [5, 3, 3], "image_size has 3 values"),
        ((*TRACE, "prompt", "grid"), None, "grid is None"),
        ((*TRACE, "prompt", "input_ids", 0), -1, "input_ids[0]"),
        ((*TRACE, "prompt", "system"), 0, "system is 0"),
        ((*TRACE, "settings", "top_p"), 1.5, "top_p is 1.5, not a number from 0 to 1"),
        ((*TRACE, "settings", "temperature"), -1, "temperature is -1, not a number, 0 or more"),
        ((*TRACE, "settings", "temperature"), True, "temperature is True"),
        ((*TRACE, "settings", "seed"), 2**64, "seed"),
        ((*TRACE, "settings", "budget"), 10**9, "budget is 1000000000"),
        ((*TRACE, "settings", "force_latents"), 1, "force_latents is 1, neither true nor false"),
        ((*TRACE, "settings", "criterion"), "", "criterion is “”"),
        ((*TRACE, "settings", "device"), 0, "device is 0, not a name"),
        ((*TRACE, "timings", "passes"), 1.5, "passes is 1.5"),
        ((*TRACE, "timings", "decode"), -1.0, "decode is -1.0"),
        # fields too many or too few
        ((*TRACE, "logits"), [], "unknown field “logits”"),
        ((*TRACE, "__class__"), "os.system", "unknown field “__class__”"),
        ((*TRACE, "family"), KeyError, "lacks the field “family”"),
        ((*TRACE, "settings", "seed"), KeyError, "traces[0].settings lacks the field “seed”"),
        # spans
        ((*TRACE, "spans", 0, "start"), 5, "spans[0] ends behind the last"),
        ((*TRACE, "spans", 0, "start"), -1, "start is -1"),
        ((*TRACE, "spans", 1, "start"), 3, "spans[1] overlaps"),
        ((*TRACE, "spans", 1, "start"), 7, "spans[1] ends behind the last of 7 tokens"),
        ((*TRACE, "spans", 0, "ended_by"), "boredom", "ended_by is “boredom”"),
        ((*TRACE, "spans", 0, "latents"), "f" * 64, "which is no tensor of this session"),
        ((*TRACE, "spans", 0, "latents"), [[0.0] * 4] * 3, "is a list, which is no tensor"),
        ((*TRACE, "spans", 0, "latents"), None, "is None, which is no tensor"),
        # edits and receipts
        ((*CHILD, "edits", 0, "kind"), KeyError, "edits[0] lacks the field “kind”"),
        ((*CHILD, "edits", 0, "kind"), 1, "kind is 1, not a name"),
        ((*CHILD, "edits", 0, "mode"), "later", "mode is “later”"),
        ((*CHILD, "edits", 0, "steps"), [-1], "steps[0] is -1"),
        ((*CHILD, "edits", 0, "steps"), [10**6], "steps[0] is 1000000"),
        ((*CHILD, "edits", 0, "steps"), "12", "steps is “12”, not a list"),
        ((*CHILD, "edits", 0, "dose"), -0.5, "dose is -0.5"),
        ((*CHILD, "edits", 0, "renorm"), None, "renorm is None"),
        ((*CHILD, "edits", 0, "span"), -1, "span is -1"),
        ((*CHILD, "edits", 3, "fraction"), 1.01, "fraction is 1.01"),
        ((*CHILD, "edits", 7, "token"), -5, "token is -5"),
        ((*CHILD, "edits", 7, "token"), 0.5, "token is 0.5"),
        ((*CHILD, "edits", 9, "patch"), [1], "patch has 1 values"),
        ((*CHILD, "edits", 2, "donor"), "nobody", "edits[2].donor is “nobody”"),
        ((*CHILD, "edits", 2, "evil"), 1, "unknown field “evil”"),
        ((*CHILD, "edits", 11, "layers"), [1], "layers has 1 values"),
        ((*CHILD, "edits", 11, "part"), "all", "part is “all”, not one of both, keys, values"),
        ((*CHILD, "lineage", 0), {}, "lineage[0] is a dict, not a list"),
        ((*CHILD, "lineage", 0, 0), {}, "lineage[0][0] lacks"),
        ((*CHILD, "receipts", 0, "doses", 0, "step"), 3, "dose at step 3 of a span of 3"),
        ((*CHILD, "receipts", 0, "span"), 2, "dose at step 0 of a span of 0"),
        ((*CHILD, "receipts", 0, "doses", 0, "epsilon"), "nan", "epsilon is “nan”"),
        ((*CHILD, "receipts", 0, "doses", 0, "epsilon"), "-inf", "epsilon is “-inf”"),
        ((*CHILD, "receipts", 0, "doses", 0, "cosine"), 1.5, "cosine is 1.5"),
        ((*CHILD, "receipts", 0, "doses", 0, "percentile"), 101, "percentile is 101"),
        ((*CHILD, "receipts", 0, "note"), None, "note is None"),
        # between traces
        ((*CHILD, "id"), "parent-1", "the same id"),
        ((*TRACE, "parent"), "parent-1", "its own ancestor"),
        ((*TRACE, "parent"), "child_2", "its own ancestor"),
    ],
)
def test_fields(broken, path, value, told):
    refused(broken(*path, value=value), told)


def test_a_number_too_large_for_a_float(entries, zipped):
    text = entries[SESSION].replace(b'"angle":-30.5', b'"angle":1e999')
    assert text != entries[SESSION]
    refused(zipped({**entries, SESSION: text}), "angle is inf")


def test_limits_of_a_hosted_copy(saved):
    for limits, told in (
        (Limits(traces=1), "a list of at most 1"),
        (Limits(tokens=6), "has 7 values"),
        (Limits(string=10), "longer than 10 characters"),
        (Limits(choices=1), "option_scores has 2 values; 0 to 1"),
        (Limits(edits=13), "edits has 14 values"),
        (Limits(latents=2), "2 are allowed"),
        (Limits(width=3), "4 dimensions; 1 to 3 are allowed"),
        (Limits(header_bytes=100), "header is longer than 100 bytes"),
        (Limits(json_depth=0), "nested too deeply"),
        (Limits(all_pixels=14), "the pictures have more than 14 pixels"),
        (Limits(image_pixels=14), "1 to 14 pixels"),
    ):
        refused(saved, told, limits)


# ── the tensors ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def retensored(entries, zipped):
    """A file with the header of its tensors, or their bytes, changed by a function."""

    def make(change):
        data = entries[TENSORS]
        (length,) = struct.unpack("<Q", data[:8])
        header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
        body = change(header, body) or body
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return zipped({**entries, TENSORS: struct.pack("<Q", len(text)) + text + bytes(body)})

    return make


def test_tensor_headers(retensored):
    def first(key, value):
        def change(header, body):
            next(iter(header.values()))[key] = value

        return retensored(change)

    for dtype in ("F16", "F64", "BF16", "I64", "U8", "F8_E4M3", None, 7, ["F32"]):
        refused(first("dtype", dtype), "not float32 (F32)")
    for shape in ([], [1, 1, 1], None, "4", [True], [-1, -4], [2.0], [2**63], [10**400]):
        refused(first("shape", shape), "neither one vector nor a table")
    refused(first("shape", [2**40]), "dimensions; 1 to 65,536 are allowed")
    refused(first("shape", [10**6, 10**6]), "are allowed")
    refused(first("shape", [0, 0]), "0 dimensions")
    refused(first("shape", [10**6, 4]), "1,000,000 vectors")
    refused(first("shape", [10_000, 4]), "does not have the 160,000 bytes")
    for offsets in ([0], [0, 0], [16, 0], [0, 2**62], [-16, 0], "ab", None, [0, True]):
        refused(first("data_offsets", offsets), "does not have the")
    refused(first("more", 1), "not described as a tensor is")


def test_tensors_that_overlap_or_leave_gaps(retensored):
    def alias(header, body):
        one, other = list(header.values())[:2]
        size = min(h["data_offsets"][1] - h["data_offsets"][0] for h in (one, other))
        for entry in (one, other):
            entry.update(shape=[size // 4], data_offsets=[0, size])

    def gap(header, body):
        del header[next(iter(header))]

    refused(retensored(alias), "overlap, or leave gaps")
    refused(retensored(gap), "leave")
    refused(retensored(lambda header, body: body + b"more"), "something follows them")
    refused(retensored(lambda header, body: body[:-4]), "cut off")


def test_other_names_and_metadata(retensored):
    refused(retensored(lambda h, b: h.update(__metadata__={"a": "b"})), "does not belong")
    refused(
        retensored(
            lambda h, b: h.update({"x": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})
        ),
        "does not belong",
    )


def test_numbers_that_are_not_finite(retensored):
    for value in (float("nan"), float("inf"), float("-inf")):

        def change(header, body, value=value):
            struct.pack_into("<f", body, len(body) - 4, value)

        refused(retensored(change), "holds a number that is not finite")


def test_a_huge_tensor_header(entries, zipped):
    for length in (2**63, 2**64 - 1, 10**9):
        data = struct.pack("<Q", length) + b"{}"
        refused(zipped({**entries, TENSORS: data}), "header is longer than")
    refused(zipped({**entries, TENSORS: struct.pack("<Q", 500) + b"{}"}), "header is damaged")
    refused(zipped({**entries, TENSORS: b"\2"}), "the tensors are cut off")
    refused(zipped({**entries, TENSORS: struct.pack("<Q", 2) + b"[]"}), "header is damaged")
    refused(zipped({**entries, TENSORS: struct.pack("<Q", 2) + b"{]"}), "not valid JSON")


def test_shapes_that_do_not_match(family, entries, zipped):
    plain = json.loads(entries[SESSION])
    span = plain["traces"][0]["spans"]
    for change, told in (
        ({"hidden": span[1]["hidden"]}, "latents (3, 4) and hidden states (1, 4)"),
        ({"latents": plain["traces"][1]["edits"][4]["values"]}, "latents (4,)"),
    ):
        changed = copy.deepcopy(plain)
        changed["traces"][0]["spans"][0].update(change)
        refused(zipped({**entries, SESSION: json.dumps(changed).encode()}), told)


def test_unpack_looks_at_the_tensors_it_is_given(family):
    for bad in (torch.zeros(2, dtype=torch.float16), [0.0], torch.full((2,), float("nan"))):
        with pytest.raises(RecordError):
            unpack({}, {"a": bad})
    for plain in (None, [], {}, {"id": 1}, "trace"):
        with pytest.raises(RecordError, match=r"^trace "):
            unpack(plain, {})


def test_nothing_is_unpickled(entries, zipped):
    class Loud:
        def __reduce__(self):
            return pytest.fail, ("a pickle was opened",)

    data = pickle.dumps(Loud())
    file = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, file)
    for bad in (data, file.getvalue(), struct.pack("<Q", len(data)) + data):
        for name in (SESSION, TENSORS):
            refused(zipped({**entries, name: bad}), "cannot be opened")
    refused(data, "cannot be opened")
    refused(file.getvalue(), "cannot be opened")


# ── the pictures ────────────────────────────────────────────────────────────────────────────


def test_pictures(entries, zipped, picture):
    name = f"images/{fingerprint(picture)}.png"
    assert name in entries
    other = to_png(Image.new("RGB", (5, 3), "red"))
    refused(zipped({**entries, name: other}), "not those its name was made from")
    refused(zipped({**entries, name: b"<svg onload=alert(1)>"}), "it is not a PNG picture")
    refused(zipped({**entries, name: entries[name][:-20]}), "cut off")
    bomb = bytearray(entries[name])
    struct.pack_into(">II", bomb, 16, 60_000, 60_000)
    struct.pack_into(">I", bomb, 29, zlib.crc32(bomb[12:29]))
    tracemalloc.start()
    refused(zipped({**entries, name: bytes(bomb)}), "60000 × 60000 is outside")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
