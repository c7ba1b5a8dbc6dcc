"""The limits of the page as flags; what each is, is said once, in :mod:`gui.bounds`."""

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gui.bounds import Bounds


def count(value: str) -> int:
    """A whole number, 0 or more."""
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise argparse.ArgumentTypeError(f"{value!r} is no number, give 0 or more")
    return int(value)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every limit."""
    from gui.bounds import Bounds

    group = parser.add_argument_group(
        "limits", "the most one visitor gets; smaller numbers where strangers are served"
    )
    for one in fields(Bounds):
        meta = one.metadata
        group.add_argument(
            meta["flag"],
            dest=f"most_{one.name}",
            metavar="N",
            type=count,
            help=f"{meta['help']} (default: {one.default}; as a Space: {meta['hosted']})",
        )


def from_flags(arguments: argparse.Namespace, hosted: bool) -> "Bounds":
    """The limits in force."""
    from dataclasses import replace

    from gui.bounds import Bounds

    given = {one.name: getattr(arguments, f"most_{one.name}") for one in fields(Bounds)}
    start = Bounds.hosted() if hosted else Bounds()
    return replace(start, **{name: n for name, n in given.items() if n is not None})
