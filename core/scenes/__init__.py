"""Pictures with questions whose truth is known.

    from core import scenes

    items = scenes.sample("where", split="test", seed=0, n=100)
    item = items[0]
    item.image, item.question, item.answer, item.options, item.evidence_box
    item.counterfactual.image  # one thing differs, and so does the answer

Tasks: `attribute`, `relative`, `where`, `count` (objects on a 4×4 lattice) and `plan` (grid maps
with a start, a goal and holes). `scenes.stream` gives items for ever; `scenes.vsp` reads and writes
the published VSP spatial-planning layout; `scenes.gallery` is the example gallery.
"""

from core.scenes import vsp
from core.scenes.board import Board
from core.scenes.item import Item
from core.scenes.objects import Figure, ObjectScene
from core.scenes.palette import COLOURS, SHAPES
from core.scenes.questions import TASKS, WORDS, Question, answer_for, sentence_for, transferred
from core.scenes.sampling import gallery, sample, stream
from core.scenes.split import SPLITS

__all__ = [
    "COLOURS",
    "SHAPES",
    "SPLITS",
    "TASKS",
    "WORDS",
    "Board",
    "Figure",
    "Item",
    "ObjectScene",
    "Question",
    "answer_for",
    "gallery",
    "sample",
    "sentence_for",
    "stream",
    "transferred",
    "vsp",
]
