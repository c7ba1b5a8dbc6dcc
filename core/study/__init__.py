"""The same intervention over many items: design → rows → statistics → verdict → report.

::

    from core import study

    items = study.load_items("scenes", 200)
    design = study.design_of("quick", engine)
    found = study.run(engine, items, design, "out")
    study.write_all(found, "out")          # verdict.json, results.csv, report.html …

The instrument is validated on the model before anything is said about it, every null is an
equivalence against a margin declared before the run, and every row says what it is the result
of, so that an interrupted study goes on where it stopped.
"""

from core.study.arms import Arm, Input, Latent
from core.study.design import Design, Margins
from core.study.items import Items, StudyItem
from core.study.presets import PRESETS, inside_of, preset
from core.study.report import write_all
from core.study.runner import Progress
from core.study.study import Study, design_of, glance, read, run
from core.study.tables import load_items
from core.study.verdict import Verdict

__all__ = [
    "PRESETS",
    "Arm",
    "Design",
    "Input",
    "Items",
    "Latent",
    "Margins",
    "Progress",
    "Study",
    "StudyItem",
    "Verdict",
    "design_of",
    "glance",
    "inside_of",
    "load_items",
    "preset",
    "read",
    "run",
    "write_all",
]
