"""What a sort of input is to the fuzzer: how one is drawn, and what it is given to."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import ZscopeError
from gui.errors import GuiError
from gui.steps import StepsError

NAMED = (ZscopeError, GuiError, StepsError)
LONGEST = 700  # characters of a sentence that names what is wrong


class Unnamed(Exception):
    """Something else came out than a result or one sentence."""


@dataclass(frozen=True)
class Kind:
    """One sort of input.

    Attributes:
        name: of the sort, in words.
        draw: makes an input.
        attempt: hands it in; what it returns is taken.
        share: how many of these are tried beside those of other sorts.
    """

    name: str
    draw: Callable[[random.Random], Any]
    attempt: Callable[[Any], Any]
    share: int = 1

    def tried(self, given: Any) -> str:
        """``"taken"`` or the name of the error it was refused with.

        Raises:
            Unnamed: neither came out.
        """
        try:
            self.attempt(given)
        except NAMED as error:
            return refused(error)
        except Unnamed:
            raise
        except Exception as error:
            raise Unnamed(f"{type(error).__name__}: {error}") from error
        return "taken"


def refused(error: Exception) -> str:
    """The name of an error that is one sentence for a person.

    Raises:
        Unnamed: it is none.
    """
    said = str(error)
    if not said.strip() or "\n" in said or len(said) > LONGEST or "inside Zscope" in said:
        raise Unnamed(f"{type(error).__name__} is no sentence: {said[:900]!r}")
    try:
        said.encode("utf-8")
    except UnicodeEncodeError:
        raise Unnamed(f"{type(error).__name__} cannot be shown: {said[:300]!r}") from error
    return type(error).__name__
