"""Whose latents are put into an item's run: donors by class, chosen blindly and for good.

A donor is drawn among the items of the same block that imagined, in an order fixed by the
study's seed and the item; only where the block has none of the class is one looked for
elsewhere. So the choice depends neither on how the study was interrupted nor on its batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from random import Random

from core.study.items import StudyItem

OUTSIDE = 4
"""Donors outside the block that are tried at most, an item and class."""


def seed_of(*parts: object) -> int:
    """A seed that ``parts`` fix, the same in every process."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8")).digest()
    return int.from_bytes(digest[:6], "big")


def fits(item: StudyItem, donor: StudyItem, kind: str) -> bool:
    """Whether ``donor`` is of the class for ``item``; never an item on the same picture."""
    if donor.id == item.id or (donor.cluster and donor.cluster == item.cluster):
        return False
    if kind == "any":
        return True
    if kind == "other task":
        return donor.task != item.task
    given = item.transfer(donor)
    if given is None:
        return False
    return item.judge(given) == (kind == "same answer")


def expected(item: StudyItem, donor: StudyItem, kind: str) -> str | None:
    """The answer that follows the donor, or None where the class leaves it open."""
    return item.transfer(donor) if kind in ("other answer", "same answer") else None


def order(
    item: StudyItem,
    kind: str,
    inside: Sequence[int],
    items: Sequence[StudyItem],
    seed: int,
) -> Iterator[int]:
    """Indices of donors of a class, best first: the block's, then a few of the others.

    Args:
        inside: indices of the block's items that may be donors.
        items: the whole data set.
        seed: the study's.
    """
    rng = Random(seed_of(seed, item.id, kind))
    block = list(inside)
    rng.shuffle(block)
    yield from (index for index in block if fits(item, items[index], kind))
    known, tried = set(inside), 0
    for _ in range(min(20 * OUTSIDE, len(items))):
        index = rng.randrange(len(items))
        if index not in known and fits(item, items[index], kind):
            known.add(index)
            yield index
            tried += 1
            if tried == OUTSIDE:
                return
