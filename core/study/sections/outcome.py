"""What a study found, first in words: what was asked, the verdict, and whether all is well."""

from __future__ import annotations

from html import escape
from typing import Any

from core.measures.statistics import wilson
from core.study import figures
from core.study.behind import of_forest
from core.study.html import figure, paragraph, table
from core.study.study import Study
from core.study.tallies import health_of


def heading(study: Study) -> str:
    """What was asked of what, in a line."""
    about = study.about
    return escape(
        f"{about['model']} ({about['family']}, {about['dtype']} on {about['device']}), "
        f"{about['items']} items of {about['data'] or 'a data set'}, preset "
        f"“{study.design.preset}”, {len(study.design.arms)} arms"
    )


def verdict(study: Study) -> str:
    """The verdict in words, with the margins it was held against."""
    margins = study.design.margins
    declared = (
        f"Margins declared before the run: ±{margins.accuracy:.1%} accuracy, {margins.flips:.1%} "
        f"of answers changed, ±{margins.logit:g} nats. “Equivalent to none” is shown against them."
    )
    return (
        f"<div class='found'><p><b>{escape(study.verdict.verdict)}</b></p>"
        f"<p>{escape(study.verdict.reason)}</p><p><small>{escape(declared)}</small></p></div>"
    )


def tasks(study: Study) -> str:
    """The same tree within each task."""
    if not study.by_task or not study.verdict.validated:
        return ""
    rows = [[task, v.verdict, v.reason] for task, v in study.by_task.items()]
    return "<h2>By task (exploratory)</h2>" + table(["task", "verdict", "reason"], rows)


def health(study: Study) -> str:
    """Emission, parsing, repetition: what has to be well before anything is read off (F18)."""
    base = study.pairs[study.design.arms[0].name].pairs
    title = "<h2>Emission, reading and health</h2>"
    if not base:
        return title + paragraph("No item could be run.")
    first = health_of([p.base for p in base])
    each = f", with {first['latents']:.1f} latents each" if first["latents"] else ""
    said = (
        f"{first['imagined']:.1%} of {len(base)} items were answered with imagining{each}; "
        f"{first['unread']:.1%} of answers could not be read, "
        f"{first['repeats']:.1%} end in repetition, {first['cut off']:.1%} were cut off by length."
    )
    rows: list[list[Any]] = [["base", len(base), *_healthy(first)]]
    rows += [[e.arm, e.items, *_healthy(e.health)] for e in study.effects.values() if e.items]
    head = ["arm", "items", "imagined", "latents", "unread", "repeats", "cut off", "length"]
    n, level = len(base), study.design.level
    panel = [
        (name, wilson(round(first[key] * n), n, level), "")
        for name, key in (
            ("answered with imagining", "imagined"),
            ("answer could not be read", "unread"),
            ("ends in repetition", "repeats"),
            ("cut off by length", "cut off"),
        )
    ]
    drawn = figure(
        figures.forest(panel, None, "F18  Health of the base runs, %", unit="%", signed=False),
        f"F18 Emission, reading and repetition of the runs on the items as they are, %; n = {n} "
        f"items, {100 * level:g} % intervals (Wilson).",
        of_forest(panel, "%", 100),
    )
    each = f"<details><summary>Every arm</summary>{table(head, rows)}</details>"
    return title + paragraph(said) + drawn + each


def _healthy(found: dict[str, float]) -> list[str]:
    shares = [f"{found['imagined']:.0%}", f"{found['latents']:.1f}"]
    shares += [f"{found[name]:.1%}" for name in ("unread", "repeats", "cut off")]
    return [*shares, f"{found['length']:.1f}"]
