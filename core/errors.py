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


class ZscopeError(Exception):
    """Base of every error whose message is meant for a person."""


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
