"""do(Z): what can be changed about what a model imagines, and the receipt of what was.

``kinds()`` lists every edit with a sentence. An :class:`core.records.Edit` is a value; this
room turns a list of them into a plan for the decode loop (:func:`prepare`).
"""

from core.edits import content as _content  # noqa: F401  (registers)
from core.edits import structure as _structure  # noqa: F401  (registers)
from core.edits.apply import prepare
from core.edits.kinds import Kind, get, kinds, register

__all__ = ["Kind", "get", "kinds", "prepare", "register"]
