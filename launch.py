"""The one door of Zscope: ``python launch.py`` opens the page, a command's name does the rest.

Only Python 3.11 and its standard library are assumed; what else a command needs is seen to in
``gui/commands/environment.py`` before the command runs. The contract with what is started:
nothing outside the standard library is imported before its requirements are known to be there,
telemetry of the libraries is off before they are imported, and a mistake of the user's is one
sentence on stderr and exit code 2, never a traceback.
"""

import sys

if sys.version_info < (3, 11):  # nothing in this file is too new for Python 3.6 to parse
    sys.stderr.write(
        "Zscope needs Python 3.11 or newer and this is Python %d.%d: "
        "start it with a newer one, for example `python3.12 launch.py`.\n" % sys.version_info[:2]
    )
    sys.exit(2)

import argparse
import os
import signal
from types import FrameType, ModuleType
from typing import NoReturn

from gui.commands import (
    Mistake,
    doctor,
    environment,
    page,
    record,
    screenshots,
    space,
    study,
    test,
    train,
)
from gui.hosting import on_space

COMMANDS = {
    "doctor": doctor,
    "record": record,
    "screenshots": screenshots,
    "space": space,
    "study": study,
    "test": test,
    "train": train,
}


class Parser(argparse.ArgumentParser):
    """argparse, with a mistake told in one sentence instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise Mistake(f"{message[0].upper()}{message[1:]} (see `python {self.prog} --help`).")


def parser_of(name: str, command: ModuleType) -> Parser:
    """The parser of one command; the page is the command without a name."""
    others = "\n".join(
        f"  launch.py {other:12}  {module.__doc__.splitlines()[0]}"
        for other, module in COMMANDS.items()
    )
    parser = Parser(
        prog=f"launch.py {name}".strip(),
        description=command.__doc__.splitlines()[0],
        epilog=None if name else "other commands (each with its own --help):\n" + others,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--no-install",
        action="store_true",
        help="use this Python as it is, and say what is missing instead of installing it",
    )
    command.add_flags(parser)
    return parser


def stop_like_ctrl_c(signal_number: int, frame: FrameType | None) -> None:
    """On SIGTERM unwind as on Ctrl-C, so that whatever was started is ended too."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise KeyboardInterrupt


def parse(arguments: list[str]) -> tuple[ModuleType, argparse.Namespace]:
    """The command that is meant and its flags; for the tests also what is meant for pytest."""
    leading = arguments[:1] if arguments[:1] == ["--no-install"] else []
    rest = arguments[len(leading) :]
    name = rest[0] if rest and not rest[0].startswith("-") else ""
    if name and name not in COMMANDS:
        raise Mistake(
            f"launch.py has no command {name!r}: it opens the page without one, "
            f"and has {', '.join(COMMANDS)}."
        )
    command = COMMANDS.get(name, page)
    parser = parser_of(name, command)
    known, extra = parser.parse_known_args(leading + (rest[1:] if name else rest))
    if command is test:
        known.pytest = extra
    elif extra:
        parser.error(f"{' '.join(extra)} means nothing here")
    return command, known


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # its version check falls silent with it
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    signal.signal(signal.SIGTERM, stop_like_ctrl_c)
    try:
        command, flags = parse(arguments)
        may_install = not flags.no_install and not on_space()
        environment.ensure([environment.ROOT / name for name in command.REQUIRES], may_install)
        return command.run(flags)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    except Exception as error:
        from core.errors import ZscopeError

        if not isinstance(error, ZscopeError):
            raise
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
