"""Who may come in, where a name and a password are asked for; neither is ever printed or logged."""

import hmac
import os
from collections.abc import Callable
from pathlib import Path

from gui.commands import Mistake

VARIABLE = "ZSCOPE_AUTH"


def from_flag(value: str | None) -> Callable[[str, str], bool] | None:
    """What decides on a name and a password; None where nobody is asked.

    Raises:
        Mistake: there is nothing to compare with; the sentence does not repeat what was given.
    """
    if value is None:
        return None
    if value == "env":
        lines = [os.environ.pop(VARIABLE, "")]
        if not lines[0]:
            raise Mistake(
                f"--auth env reads {VARIABLE}, which is not set: set it to USER:PASSWORD."
            )
    elif value.startswith("@"):
        try:
            lines = Path(value[1:]).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Mistake(f"The file of --auth cannot be read: {type(error).__name__}.") from error
        lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    else:
        lines = [value]
    pairs = [line.partition(":") for line in lines]
    if not pairs or not all(user and password for user, _, password in pairs):
        raise Mistake("--auth takes USER:PASSWORD, @FILE with such lines, or env.")
    known = {user: password.encode() for user, _, password in pairs}

    def admits(user: str, password: str) -> bool:
        expected = known.get(user, b"")
        same = hmac.compare_digest(expected or b" ", password.encode())
        return bool(expected) and same

    return admits
