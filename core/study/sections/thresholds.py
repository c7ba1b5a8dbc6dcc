"""Every number a result was held against: what it is, how it is set, and where it comes from."""

from __future__ import annotations

from core.study.effects import LEAST_ITEMS
from core.study.html import paragraph, table
from core.study.mapped import OFF
from core.study.probing import FEWEST
from core.study.study import Study

CONVENTION = "a convention of this program, no law"


def thresholds(study: Study) -> str:
    """The thresholds of a study, those declared before the run first."""
    design = study.design
    margins = design.margins
    rows = [
        [
            "margin of accuracy", f"± {margins.accuracy:.1%}", "--margin-accuracy",
            "declared; two points is less than a benchmark of 200 questions can tell (one question "
            "is half a point)",
        ],
        [
            "margin of changed answers", f"{margins.flips:.1%}", "--margin-flips",
            f"declared; one answer in twenty, {CONVENTION}: hold it against the identity's and the "
            "sham's own rate above",
        ],
        [
            "margin of the logit difference", f"± {margins.logit:g} nats", "--margin-logit",
            "declared; a tenth of a nat moves a probability of one half by 2.5 points",
        ],
        [
            "confidence of intervals", f"{design.level:.0%}", "--level",
            f"equivalence is two one-sided tests at {1 - design.level:.0%} each, which is the "
            f"{2 * design.level - 1:.0%} interval inside the margin (Schuirmann 1987)",
        ],
        [
            "least emission", f"{design.least_emission:.0%}", "--least-emission",
            f"{CONVENTION}: below it a change over all items is less than a fifth of the change "
            "among those that imagined",
        ],
        [
            "least dose", f"ε = {design.least_dose:g}", "--least-dose",
            f"{CONVENTION}: latents that are all alike are hardly moved by a swap, and a null of "
            "such a swap says nothing",
        ],
        [
            "little visual information", f"{design.little:.0%}", "--little",
            f"{CONVENTION}: the share of the picture's gain over the question alone below which "
            "latents are said to hold little",
        ],
        [
            "fewest items", f"{LEAST_ITEMS}", "fixed",
            "below it nothing is concluded; an exact McNemar test needs 6 one-sided changes to "
            "reach 5 %",
        ],
        [
            "fewest items of a probe", f"{FEWEST}", "fixed",
            f"{CONVENTION}: five folds with a dozen items each",
        ],
        [
            "off the manifold", f"{OFF:g}th percentile", "fixed",
            "of the Mahalanobis distance of clean latents; what one clean latent in a hundred "
            "exceeds",
        ],
    ]  # fmt: skip
    return (
        "<h2>What results were held against</h2>"
        + paragraph(
            "A verdict depends on these numbers, so they are settled before the first item is "
            "asked. To see what another margin would say, run the same command with it: finished "
            "rows are read again, none is made anew."
        )
        + table(["threshold", "here", "set by", "where it comes from"], rows)
    )
