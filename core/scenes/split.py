"""Which split a scene belongs to, and the seeds of the generator.

A scene's split follows from what it shows, never from when it was drawn: a SHA-256 of its canonical
description (cells, shapes and colours, or the map; no jitter, no background, no question) falls in
one of ten buckets, one for test, one for validation, eight for training. So no scene can be in two
splits, whatever the seed, the task or the process. Python's own `hash` is salted and never used.
"""

from __future__ import annotations

import hashlib
from random import Random

SPLITS = ("train", "validation", "test")
_BUCKETS = 10  # 0 is test, 1 is validation, the other eight are training


def split_of(canonical: str) -> str:
    """The split of a scene, from its canonical description."""
    digest = hashlib.sha256(canonical.encode("utf-8")).digest()
    bucket = int.from_bytes(digest[:8], "big") % _BUCKETS
    return {0: "test", 1: "validation"}.get(bucket, "train")


def fingerprint(*parts: object) -> str:
    """Twelve hex digits that name `parts`; one-way, so an id made of it carries no answer."""
    return hashlib.sha256("/".join(map(str, parts)).encode("utf-8")).hexdigest()[:12]


def generator(*parts: object) -> Random:
    """A generator seeded by `parts`, the same in every process and on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode("utf-8")).digest()
    return Random(int.from_bytes(digest[:8], "big"))
