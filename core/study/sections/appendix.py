"""How a study was done: its validation card, what it could not use, method and settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from html import escape

from core.study.alignment import GATE, SAID
from core.study.html import figure, paragraph, table
from core.study.study import Study

METHOD = (
    "Each arm is one intervention on every item. An arm is compared with the base run of the same"
    " item; the item is the unit, random draws are averaged within it, and items on one picture "
    "are resampled together. The choice is the option with the highest log-probability after the "
    "run's own words (the parsed answer where an item has no options). Rates have Wilson's "
    "interval, changes of single items the farther ends of Newcombe's and Tango's, clustered data "
    "and continuous outcomes bootstrap intervals. "
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
    said = (
        "F21 The instrument on this model: what must be exactly so, what must act, what must not. "
        f"n = {study.about['items']} items; a check that fails takes the verdict away."
    )
    head = ["check", "result", "seen"]
    return "<h2>Validation card</h2>" + figure(table(head, rows), said, (head, rows))


def problems(study: Study) -> str:
    """What could not be used, a sentence each."""
    if not study.problems:
        return ""
    lines = "".join(f"<li>{escape(problem)}</li>" for problem in study.problems[:200])
    return f"<h2>Not used ({len(study.problems)})</h2><ul>{lines}</ul>"


def method(study: Study) -> str:
    """How it was done."""
    said = (*METHOD, f"{SAID[study.design.alignment]} {GATE}")
    return "<h2>Method</h2>" + "".join(paragraph(words) for words in said)


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
