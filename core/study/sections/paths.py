"""By which path an input reaches the answer: through the latents, past them, by way of words."""

from __future__ import annotations

from collections.abc import Sequence

from core.study import charts, figures
from core.study.behind import of_forest
from core.study.html import absent, figure, interval, paragraph, table
from core.study.mediation import Split
from core.study.relay import Relay
from core.study.study import Study


def mediation(study: Study) -> str:
    """TE = NDE + TIE, with the interaction and the controlled direct effect (F9)."""
    parts = ["<h2>What goes through the latents</h2>"]
    if not study.splits:
        why = "no arm of this study crosses the latents of one input with another input."
        return parts[0] + absent("F9 (mediation)", why)
    for name, split in study.splits.items():
        unit, scale = ("nats", 1.0) if "nats" in split.outcome else ("points", 100.0)
        rows = [
            ("TE, total", split.total, ""),
            ("NDE, past the latents", split.direct, ""),
            ("TIE = TE − NDE", split.total_indirect, ""),
            ("NIE, through the latents", split.indirect, ""),
            ("INT = TE − NDE − NIE", split.interaction, ""),
            ("CDE, latents at their means", split.controlled, ""),
        ]
        of = f"{name}; n = {split.items} items"
        parts.append(
            figure(
                charts.waterfall(split, f"F9  {name}: TE = NDE + TIE, {unit}", scale, unit),
                f"F9 The total effect as the sum of its direct part and what goes through the "
                f"latents, {unit}: {of}; means, their intervals below.",
                of_forest(
                    [(term, value, "") for term, value, _ in (rows[1], rows[2], rows[0])],
                    unit,
                    scale,
                ),
            )
        )
        parts.append(
            figure(
                figures.forest(rows, None, f"F9b  {name}, {unit}", scale, unit),
                f"F9b Terms of the mediation, {unit}: {of}, {100 * study.design.level:g} % "
                "intervals (bootstrap by picture).",
                of_forest(rows, unit, scale),
            )
        )
        parts.append(paragraph(_split_words(split, scale, unit)))
    return "".join(parts)


def _split_words(split: Split, scale: float, unit: str) -> str:
    said = f"m: {split.outcome}; {split.apart} items left out."
    if split.gated:
        said += (
            f" In {split.gated} of them only one of the two runs imagined (the input opens or "
            f"closes the gate); there TE is {interval(split.gate, scale)} {unit}."
        )
    if split.pure.estimate == split.pure.estimate:
        return said + (
            f" Proportion mediated NIE/TE {interval(split.pure, 100)} %, TIE/TE "
            f"{interval(split.whole, 100)} %."
        )
    return said + " No proportion mediated is given: the total effect's interval covers 0."


def words(found: Sequence[Relay]) -> str:
    """The words behind the latents as a second mediator."""
    if not found:
        return ""
    head = ["edit", "items", "words free", "words held", "relayed by words", "no words at all"]
    rows = [
        [
            one.arm,
            one.items,
            *(interval(v, 100, signed=False) for v in (one.free, one.held)),
            interval(one.relayed, 100),
            interval(one.at_once, 100, signed=False),
        ]
        for one in found
    ]
    said = (
        "Answers changed, %, by the same edit: with the words behind the latents made anew (total "
        "effect of the latents), with the item's own words held (controlled direct effect), and "
        "with the answer opened right behind the latents."
    )
    if all(one.spoken < 12 for one in found):
        said += " This model says nothing between its latents and its answer."
    return "<h2>Straight, or by way of words?</h2>" + paragraph(said) + table(head, rows)
