"""The parts of a report as HTML: the page shows them while a study runs, the report holds all.

Each takes what was found and gives "" where there is nothing to say. Figures are SVG in the
text's own colour, so that they can be read on light and on dark paper.
"""

from core.study.sections.appendix import card, method, problems, settings
from core.study.sections.arms import donors, effects
from core.study.sections.layers import layers
from core.study.sections.looks import looking
from core.study.sections.outcome import heading, health, tasks, verdict
from core.study.sections.paths import mediation, words
from core.study.sections.probes import probed
from core.study.sections.published import published
from core.study.sections.steps import steps
from core.study.sections.thresholds import thresholds

__all__ = [
    "card",
    "donors",
    "effects",
    "heading",
    "health",
    "layers",
    "looking",
    "mediation",
    "method",
    "probed",
    "problems",
    "published",
    "settings",
    "steps",
    "tasks",
    "thresholds",
    "verdict",
    "words",
]
