"""The parts of a report as HTML: the page shows them while a study runs, the report holds all.

Each takes what was found and gives "" where there is nothing to say. Figures are SVG in the
text's own colour, so that they can be read on light and on dark paper.
"""

from core.study.sections.appendix import card, method, problems, settings
from core.study.sections.arms import donors, effects
from core.study.sections.inside import probed, published
from core.study.sections.outcome import heading, health, tasks, verdict
from core.study.sections.paths import mediation, words

__all__ = [
    "card",
    "donors",
    "effects",
    "heading",
    "health",
    "mediation",
    "method",
    "probed",
    "problems",
    "published",
    "settings",
    "tasks",
    "verdict",
    "words",
]
