"""A study as the page shows it: how far it is, what was found so far, the report's sections."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gui.components.invite import invite_html
from gui.screen import say_html

if TYPE_CHECKING:
    from core.study import Study
    from core.study.arms import Arm
    from gui.studying import Studying


BEFORE = invite_html(
    "Does it hold over many questions?",
    "The same interventions over every item of a data set. Declare the margins first: they say "
    "how small an effect counts as none.",
    {
        "Health": "how often the model imagined at all, and how often its answer could be read",
        "Effects": "of each edit, with intervals and a test of equivalence within the margins",
        "Mediation": "how much of what the input does goes through the latents",
        "Verdict": "in words that the numbers allow, as a report, a table and CSV",
    },
    "Start with these settings",
    "#study-start",
)


def progress_html(job: Studying | None) -> str:
    """The bar, the rate and the time left; what was said in the end."""
    if job is None:
        return BEFORE
    if not job.alive:
        return say_html(job.sentence, job.trouble)
    seen = job.progress
    share = seen.done / seen.total if seen and seen.total else 0.0
    said = job.stage
    if seen is not None and job.stage == "asking the model":
        said += f": {seen.done:,} of {seen.total:,} rows"
        if seen.made and seen.left is not None:
            said += f", {seen.rate:.1f} a second, {time_of(seen.left)} left"
    bar = (
        f"<div class='bar' role='progressbar' aria-valuemin='0' aria-valuemax='100' "
        f"aria-valuenow='{100 * share:.0f}' aria-label='rows made'>"
        f"<div style='width:{100 * share:.1f}%'></div></div>"
    )
    return f"{bar}<p class='say calm' role='status'>{escape(said[:1].upper() + said[1:])}</p>"


def time_of(seconds: float) -> str:
    """“40 s”, “3 min”."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def body_html(job: Studying | None) -> str:
    """What was found: all sections in the end, health and effects while it runs."""
    if job is None or job.study is None:
        return ""
    if job.body:
        from core.study import sections

        parts = (*job.body, sections.card(job.study), sections.problems(job.study))
    else:
        parts = partial(job.study)
    return f"<div class='study'>{''.join(parts)}</div>"


def partial(study: Study) -> tuple[str, ...]:
    """Health and the table of effects so far; no verdict, no mediation."""
    from core.study import sections

    note = "<p><small>So far; intervals are rough until all rows are there.</small></p>"
    return sections.health(study), note, sections.effects(study)


def plan_html(arms: tuple[Arm, ...], items: int, sentence: str) -> str:
    """What would be done, and what so many items can show (before anything is run)."""
    from core.measures.statistics import items_to_exclude, minimum_detectable
    from core.study import Margins

    rows = "".join(
        f"<li><b>{escape(arm.name)}</b>{' (exploratory)' * (not arm.declared)} "
        f"{escape(arm.says)}</li>"
        for arm in arms
    )
    least = minimum_detectable(items, 0.1)
    margins = Margins()
    few, many = (items_to_exclude(m) for m in (margins.flips, margins.accuracy))
    return (
        f"<p>{escape(sentence)} {items} items × {len(arms)} arms. Where a tenth of the answers "
        f"changes, a net change of {least:.1%} would be seen (80 % power). That an arm changes "
        f"nothing is shown, within the margins as they stand at first, with {many} items of "
        f"which none changes ({few} where the logit difference holds still as well).</p>"
        f"<details><summary>What is done to every item</summary><ol>{rows}</ol></details>"
    )
