"""How much a ``.zscope`` file may ask for, so that opening a stranger's file is safe."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The most a session file may hold; a hosted copy passes smaller numbers.

    Every limit is checked against what the file *declares* before memory is taken for it, and
    the declaration is then held to. Saving obeys the same numbers, so whatever was saved under
    some limits opens under them.

    Attributes:
        file_bytes: size of the zip itself.
        entries: files inside the zip.
        entry_bytes: one file inside the zip, uncompressed.
        all_bytes: all files inside the zip together, uncompressed.
        ratio: uncompressed over compressed size of one file inside (files below 1 MiB are
            exempt: short repetitive text compresses well and harms nobody).
        json_bytes: the JSON of the session, uncompressed.
        json_values: values in it (a value costs up to 70 bytes of memory).
        json_depth: how deep the free-form ``meta`` may nest.
        header_bytes: the JSON header of the tensors.
        traces: runs in the session.
        tokens: ids in one prompt or one answer.
        latents: vectors in one span, donor or value table.
        width: dimensions of one vector.
        edits: edits, receipts or generations that led to one trace.
        choices: likeliest tokens kept at one place, or answer options scored.
        string: characters of one text.
        image_pixels: one picture.
        all_pixels: all pictures together (three bytes each once decoded).
    """

    file_bytes: int = 512 * 2**20
    entries: int = 4096
    entry_bytes: int = 512 * 2**20
    all_bytes: int = 1024 * 2**20
    ratio: int = 200
    json_bytes: int = 64 * 2**20
    json_values: int = 8_000_000
    json_depth: int = 32
    header_bytes: int = 16 * 2**20
    traces: int = 10_000
    tokens: int = 262_144
    latents: int = 16_384
    width: int = 65_536
    edits: int = 4096
    choices: int = 1000
    string: int = 2_000_000
    image_pixels: int = 50_000_000
    all_pixels: int = 400_000_000
