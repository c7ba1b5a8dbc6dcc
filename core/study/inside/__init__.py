"""Inside the runs of a study: where their latents look, what they say, which step and layer act.

The rows of a study say what became of an answer; they do not say by which step, layer or edge.
For a bounded number of items (the first ones, settled before the run) a study looks closer:
attention and lens of the run as it is, and, where the design asks for it, every step, exit,
edge, slot and pair of steps changed one at a time.

* :mod:`look`: what is written down of one item, and its file.
* :mod:`reading`: attention and lens of one run.
* :mod:`changing`: the runs that differ from one run in one step, exit, edge or slot.
* :mod:`looking`: the first items of a data set, one file each, taken up again where it stopped.
* :mod:`profiles`, :mod:`maps`: the numbers of all items together, each with its interval.
"""

from core.study.inside.look import Look, looks_of
from core.study.inside.looking import look_inside

__all__ = ["Look", "look_inside", "looks_of"]
