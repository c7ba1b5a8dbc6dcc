"""What a bank says is normal, as the references the other measures take."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.errors import InputError
from core.measures.similarity import KINDS, Reference, corrected, cosine, reference_of
from core.records import Bank


def bank_reference(bank: Bank) -> Reference:
    """Step means and spreads of a bank, and b where it holds words.

    b is the mean cosine of hidden states of the same layer at different words of different
    items' answers: vectors of the latents' own site that have nothing to do with each other.
    """
    reference = reference_of(bank.latents)
    b = words_cosine(bank)
    return reference if b is None else replace(reference, unrelated=b)


def words_cosine(bank: Bank, kind: str = "raw") -> float | None:
    """Mean cosine over pairs of different words of different items; the text's own line beside
    a collapse curve.

    Args:
        bank: with words.
        kind: ``"raw"``, ``"centred"`` or ``"zscored"`` over the words themselves, or
            ``"corrected"``, where it is 0 by definition.

    Returns:
        None where the bank holds no such pair.

    Raises:
        InputError: an unknown kind.
    """
    if kind not in KINDS:
        raise InputError(f"Similarity “{kind}” is unknown; choose {', '.join(KINDS)}.")
    if bank.words is None or bank.word_ids is None:
        return None
    there = (bank.word_ids >= 0) & torch.isfinite(bank.words).all(-1)
    words, tokens = bank.words[there].double(), bank.word_ids[there]
    items = torch.arange(len(there))[:, None].expand_as(there)[there]
    if kind in ("centred", "zscored") and len(words):
        words = words - words.mean(0)
        if kind == "zscored":
            spread = words.square().mean(0).sqrt()
            words = torch.where(spread > 0, words / spread, words * 0)
    cosines = cosine(words)
    unlike = (items[:, None] != items[None]) & (tokens[:, None] != tokens[None])
    found = cosines[unlike & torch.isfinite(cosines)]
    if not len(found):
        return None
    mean = float(found.double().mean())
    return float(corrected(torch.tensor(mean), mean)) if kind == "corrected" else mean


def evenly(names: list[str], most: int) -> list[int]:
    """At most ``most`` places of a list of task names, each task in its share, tasks in order of
    their names and items in their own order: the rows of a grid ordered by task."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name, []).append(place)
    if len(names) <= most:
        return [place for name in sorted(groups) for place in groups[name]]
    share = max(1, most // max(1, len(groups)))
    kept = [groups[name][:share] for name in sorted(groups)]
    return [place for group in kept for place in group][:most]


def panels_of(bank: Bank, most: int = 60) -> tuple[list[int], Tensor]:
    """Rows of a bank for a grid, ordered by task, and their latents (n, K, D)."""
    names = [item.task for item in bank.items] or [""] * len(bank.latents)
    rows = evenly(names, most)
    return rows, bank.latents[rows]
