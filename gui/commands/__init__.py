"""What stands behind ``launch.py``: a file a command, and the environment they all start in.

Nothing here imports anything outside the standard library at import time: ``environment`` runs
before the requirements are there, and the page must not wait for torch.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Mistake(Exception):
    """Something the user can mend, in one sentence; ``launch.py`` prints it and exits with 2.

    The same for the command line as ``core.errors.ZscopeError`` is for what is computed, which
    cannot be imported before the requirements are there.
    """
