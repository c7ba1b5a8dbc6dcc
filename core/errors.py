"""Everything that can go wrong in a way a user can mend, each as one sentence.

::

    ZscopeError
    ├── InputError            what was asked cannot be run as it is
    │   ├── ImageError        not a picture, truncated, or too large
    │   ├── QuestionError     nothing was asked
    │   ├── BudgetError       a number of latents that makes no span
    │   └── EditError         an edit that does not fit the run it is applied to
    ├── CheckpointError       the folder or hub id is not a model this program can load
    │   └── FamilyError       no family, or more than one, fits the checkpoint
    ├── RecordError           a saved file that is damaged or not ours
    ├── MemoryShortage        the device has no room left for this run
    └── Cancelled             the person pressed Stop

The message is meant for a person: it says what is wrong and what to do about it. Programs
catch :class:`ZscopeError`; nothing in here is raised for a mistake in Zscope itself.
"""

LONGEST = 600  # characters of a sentence; what it quotes may be far longer


class ZscopeError(Exception):
    """Base of every error whose message is meant for a person.

    What a message quotes of a file or a person may be of any kind: it is kept to one line that
    every terminal and page can show, and cut where it is very long.
    """

    def __init__(self, sentence: str = "") -> None:
        super().__init__(one_line(sentence))


def one_line(text: str) -> str:
    """``text`` on one line, without characters that cannot be written, cut where it is long."""
    line = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 2]} …"


class InputError(ZscopeError):
    """What was asked cannot be run as it is."""


class ImageError(InputError):
    """The picture cannot be read or is outside the allowed size."""


class QuestionError(InputError):
    """The question is empty or too long."""


class BudgetError(InputError):
    """The number of latents asked for makes no span."""


class EditError(InputError):
    """The edit does not fit the run it is applied to."""


class CheckpointError(ZscopeError):
    """The checkpoint cannot be loaded."""


class FamilyError(CheckpointError):
    """No family, or more than one, fits the checkpoint."""


class RecordError(ZscopeError):
    """A saved file is damaged, or is not one of ours."""


class MemoryShortage(ZscopeError):
    """The device has no room left."""


class Cancelled(ZscopeError):
    """The run was stopped before it had produced anything."""
