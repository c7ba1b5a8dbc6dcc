"""The parts of a report as HTML: the page shows them while a study runs, the report holds all.

Each takes the study and gives "" where there is nothing to say. Figures are SVG in the text's
own colour, so that they can be read on light and on dark paper.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from html import escape
from typing import Any

from core.study import charts, figures
from core.study.effects import LEAST_ITEMS, Effect, health_of
from core.study.findings import Finding
from core.study.html import interval, number, paragraph, table
from core.study.mediation import Split
from core.study.probing import Probe
from core.study.relay import Relay
from core.study.study import Study

METHOD = (
    "Each arm is one intervention on every item. An arm is compared with the base run of the same"
    " item; the item is the unit, random draws are averaged within it, and items on one picture "
    "are resampled together. The choice is the option with the highest log-probability after the "
    "run's own words (the parsed answer where an item has no options). Rates have Wilson or "
    "Newcombe intervals, clustered data and continuous outcomes BCa bootstrap intervals. "
    "“Equivalent to none” is shown by two one-sided tests against the margins declared before the"
    " run, never by a large p: few answers change, and the change of accuracy or of the right "
    "option's logit difference lies inside its own margin. An effect is asked of accuracy and of "
    "changed answers, each at half the error. p-values are exact McNemar tests (sign flips by "
    "cluster), adjusted by Holm within the declared arms and by Benjamini and Hochberg among "
    "exploratory ones. Mediation terms are observed, not modelled: the latents of one input are "
    "put into the run on the other.",
    "Latent edits propagate unless an arm says pinned or cached: later latents are computed again"
    " from the edited ones. ε is the delivered dose ‖z′−z‖/‖z‖. A null under content edits leaves"
    " the slots’ own computation in place, which is why slots and edges are edited too. That a "
    "model does not use its latents now says nothing about what they did in training.",
)


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
    said = (
        f"{first['imagined']:.1%} of {len(base)} items were answered with imagining, with "
        f"{first['latents']:.1f} latents each; {first['unread']:.1%} of answers could not be read, "
        f"{first['repeats']:.1%} end in repetition, {first['cut off']:.1%} were cut off by length."
    )
    rows: list[list[Any]] = [["base", len(base), *_healthy(first)]]
    rows += [[e.arm, e.items, *_healthy(e.health)] for e in study.effects.values() if e.items]
    head = ["arm", "items", "imagined", "latents", "unread", "repeats", "cut off", "length"]
    each = f"<details><summary>Every arm</summary>{table(head, rows)}</details>"
    return title + paragraph(said) + each


def _healthy(found: dict[str, float]) -> list[str]:
    shares = [f"{found['imagined']:.0%}", f"{found['latents']:.1f}"]
    shares += [f"{found[name]:.1%}" for name in ("unread", "repeats", "cut off")]
    return [*shares, f"{found['length']:.1f}"]


def effects(study: Study) -> str:
    """Every arm against the base (F3, F4, F5, F16)."""
    shown = [effect for effect in study.effects.values() if effect.items]
    if not shown:
        return ""
    margins = study.design.margins
    declared = [e for e in shown if e.declared]
    drawn = [
        figures.forest(
            [(e.arm, e.change, e.verdict) for e in declared],
            margins.accuracy,
            "F3  Change of accuracy, points (shaded: declared margin; right: the arm's verdict)",
        ),
        figures.forest(
            [(e.arm, e.flips, e.on_flips) for e in declared],
            None,
            "F3  Answers that changed, % (right: verdict on changed answers alone)",
            unit="%",
            signed=False,
        ),
        figures.forest(
            [(e.arm, e.logit, e.on_logit) for e in declared],
            margins.logit,
            "F3  Change of the right option's logit difference, nats",
            scale=1.0,
            unit="nats",
        ),
        figures.stacked([(e.arm, e.flows) for e in shown], "F4  How answers moved, items"),
        _doses(shown),
        charts.strip(
            [
                (e.arm, e.dose["epsilon"], e.dose["percentile"])
                for e in shown
                if e.dose.get("percentile", float("nan")) == e.dose.get("percentile")
            ],
            "F16  How far from normal each edit goes: median percentile among clean latents",
        ),
    ]
    return "<h2>Effects</h2>" + "".join(drawn) + _effects_table(shown) + _absent(study)


def _doses(shown: Sequence[Effect]) -> str:
    """Dose and response, with the sham and the positive control on the same axes."""
    doses = sorted((e for e in shown if e.role == "dose"), key=lambda e: e.dose.get("epsilon", 0))
    if not doses:
        return ""
    lines = {"Gaussian noise": [(e.dose.get("epsilon", 0.0), e.flips) for e in doses]}
    for name, role in (("sham: same-answer swap", "sham"),):
        found = [(e.dose["epsilon"], e.flips) for e in shown if e.role == role and e.dose]
        if found:
            lines[name] = found
    swaps = [
        (e.dose["epsilon"], e.flips)
        for e in shown
        if e.role == "effect" and e.locus == "content" and e.arm.startswith("swap") and e.dose
    ]
    if swaps:
        lines["swap, other answer"] = swaps[:1]
    return figures.curves(
        lines, "F5  Dose and response", "delivered ε", "share of answers that change"
    )


def _effects_table(shown: Sequence[Effect]) -> str:
    head = [
        "arm", "what is done", "items", "Δ accuracy", "all items", "answers changed",
        "follows donor", "Δ logit", "ε", "p (adjusted)", "detectable", "verdict",
    ]  # fmt: skip
    rows = [
        [
            effect.arm + ("" if effect.declared else " (exploratory)"),
            effect.says,
            f"{effect.items}" + (f" (+{effect.silent} silent)" if effect.silent else ""),
            interval(effect.change, 100),
            interval(effect.intention, 100),
            interval(effect.flips, 100, signed=False),
            interval(effect.follow, 100, signed=False),
            interval(effect.logit, 1, 2),
            number(effect.dose.get("epsilon")),
            number(effect.adjusted, 3),
            number(100 * effect.detectable, 1),
            effect.verdict,
        ]
        for effect in shown
    ]
    return table(head, rows)


def _absent(study: Study) -> str:
    absent = [
        [effect.arm, reason, count]
        for effect in study.effects.values()
        for reason, count in effect.skipped.items()
    ]
    return "<h3>Not applied</h3>" + table(["arm", "why", "items"], absent) if absent else ""


def donors(study: Study) -> str:
    """Who follows whom: the donor's answer by class of donor (F17)."""
    rows = []
    for effect in study.effects.values():
        asked = sum(value == value for value in study.pairs[effect.arm].follows().tolist())
        if asked >= LEAST_ITEMS and effect.locus in ("content", "slot"):
            rows.append((effect.arm, effect.follow, f"{asked} items"))
    if not rows:
        return ""
    return "<h2>Does the answer follow the donor?</h2>" + figures.forest(
        rows,
        None,
        "F17  Answers that become the donor's, % of items whose own answer is another",
        unit="%",
        signed=False,
    )


def mediation(study: Study) -> str:
    """TE = NDE + TIE, with the interaction and the controlled direct effect (F9)."""
    if not study.splits:
        return ""
    parts = ["<h2>What goes through the latents</h2>"]
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
        parts.append(charts.waterfall(split, f"F9  {name}: TE = NDE + TIE", scale, unit))
        parts.append(figures.forest(rows, None, f"{name} ({split.items} items)", scale, unit))
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


def probed(found: Sequence[Probe]) -> str:
    """Linear probes a step, with control tasks (F15)."""
    if not found:
        return ""
    said = (
        f"A logistic regression reads the answer (one of {found[0].answers}, each of them the "
        f"answer of five items or more) from {found[0].items} items' vectors, always on pictures "
        "it was not fitted on; the control is the same with answers dealt out anew within each "
        "task. What can be read is not thereby used."
    )
    rows = [(p.site, p.selectivity, f"read {p.accuracy.estimate:.1%}") for p in found]
    head = ["site", "read rightly, %", "control task, %", "selectivity, points"]
    cells = [
        [p.site, *(interval(v, 100, signed=False) for v in (p.accuracy, p.control)),
         interval(p.selectivity, 100)]
        for p in found
    ]  # fmt: skip
    return (
        "<h2>What can be read off them</h2>"
        + paragraph(said)
        + figures.forest(rows, None, "F15  Selectivity of a linear probe, points")
        + table(head, cells)
    )


def published(said: Sequence[Finding]) -> str:
    """The published findings, with the grids behind them (F1)."""
    if not said:
        return ""
    parts = ["<h2>The published findings, derived again</h2>"]
    for finding in said:
        parts.append(paragraph(finding.says))
        grids = [
            figures.grid(panel[:40, :40].tolist(), f"step {step + 1}", 0.0, 1.0)
            for step, panel in enumerate(finding.panels)
        ]
        if grids:
            caption = "F1  Cosine between the latents of different items, a panel a step"
            parts.append(f"<p><b>{caption}</b></p><div class='grids'>{''.join(grids)}</div>")
    return "".join(parts)


def card(study: Study) -> str:
    """The validation card (F21)."""
    rows = [
        [
            check.name,
            "passed" if check.passed else ("FAILED" if check.needed else "acts"),
            check.seen,
        ]
        for check in study.checks
    ]
    return "<h2>Validation card</h2>" + table(["check", "result", "seen"], rows)


def problems(study: Study) -> str:
    """What could not be used, a sentence each."""
    if not study.problems:
        return ""
    lines = "".join(f"<li>{escape(problem)}</li>" for problem in study.problems[:200])
    return f"<h2>Not used ({len(study.problems)})</h2><ul>{lines}</ul>"


def method() -> str:
    """How it was done."""
    return "<h2>Method</h2>" + "".join(paragraph(words) for words in METHOD)


def settings(study: Study, rerun: Sequence[str]) -> str:
    """Everything that was set, and the command that does it again."""
    again = f"<pre>{escape(shlex.join(rerun))}</pre>" if rerun else ""
    said = json.dumps(
        {"about": study.about, "design": study.design.plain()}, indent=1, ensure_ascii=False
    )
    return (
        f"<h2>Settings, and how to run it again</h2>{again}<details><summary>Everything</summary>"
        f"<pre>{escape(said)}</pre></details>"
    )
