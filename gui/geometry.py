"""The shape of the bank in a few numbers: where its variance is, how many directions it has."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.records.bank import Bank
    from gui.workshop import Workshop

MOST = 400  # items the numbers are taken from


def facts_html(workshop: Workshop) -> str:
    """The numbers as a list; "" without a bank."""
    bank = getattr(workshop.engine, "bank", None)
    if bank is None:
        return ""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(bank)
    )
    return f"<h3>The bank's shape</h3><dl class='facts'>{rows}</dl>"


@lru_cache(maxsize=8)
def facts(bank: Bank) -> tuple[tuple[str, str], ...]:
    """(name, value) of each number; what is undefined is left out."""
    from core.measures.geometry import (
        entropy_rank,
        linear_cka,
        norm_profile,
        participation_ratio,
        variance_shares,
    )
    from core.measures.neighbours import purity
    from core.measures.reference import panels_of

    rows, table = panels_of(bank, MOST)
    tasks = [bank.items[r].task if bank.items else "" for r in rows]
    last = table.shape[1] - 1
    out = []
    shares = variance_shares(table, tasks)
    if shares.step == shares.step:
        out.append(
            (
                "variance between steps, tasks, items, rest",
                f"{shares.step:.0%}, {shares.task:.0%}, {shares.item:.0%}, {shares.residual:.0%}",
            )
        )
    lengths = norm_profile(table)
    first, end = float(lengths.median[0]), float(lengths.median[last])
    out.append(("median length ‖z‖, first and last step", f"{first:.2f}, {end:.2f}"))
    for name, measure in (
        ("participation ratio, first and last step", participation_ratio),
        ("entropy rank of the variance, first and last step", entropy_rank),
    ):
        one, other = measure(table[:, 0]), measure(table[:, last])
        if one == one and other == other:
            out.append((name, f"{one:.1f}, {other:.1f}"))
    if last > 0:
        alike = linear_cka(table[:, 0], table[:, last])
        if alike == alike:
            out.append(("linear CKA of first and last step, debiased if small", f"{alike:.2f}"))
    if len(set(tasks)) > 1:
        pure = purity(table[:, last], tasks)
        if pure.value == pure.value:
            out.append(
                (
                    f"neighbours of the same task at the last step (k = {pure.k})",
                    f"{pure.value:.0%}, by chance {pure.chance:.0%}",
                )
            )
    return tuple(out)
