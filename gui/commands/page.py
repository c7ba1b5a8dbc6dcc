"""Open the page: a picture, a question, the latents between them, and what they do.

The page comes first and the model after it: importing torch or loading a checkpoint before the
page is up would keep it dark for seconds, so all of that is left to ``gui.app``, which warms up
once it serves.
"""

import argparse
import json
import os
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from gui.commands import ROOT, Mistake, doorkeeper, limits, model
from gui.hosting import on_space

REQUIRES = ["requirements.txt"]
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"


def port_number(value: str) -> int:
    """A TCP port, 1 to 65535."""
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        raise argparse.ArgumentTypeError(f"{value!r} is no port, give a number from 1 to 65535")
    return int(value)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the page: which model, and who may see it."""
    model.add_flags(parser)
    address = parser.add_mutually_exclusive_group()
    address.add_argument(
        "--host",
        type=own_address,
        help=f"address to serve on (default: {LOOPBACK}, for this machine only)",
    )
    address.add_argument(
        "--listen", action="store_true", help="serve on every address, for others on the network"
    )
    parser.add_argument(
        "--port",
        type=port_number,
        default=7860,
        help="port to serve on, or the next free one (default: 7860)",
    )
    parser.add_argument("--share", action="store_true", help="make a public link as well")
    parser.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        help="ask for a name and a password: these, or @FILE with one such line each, or env for "
        "the variable ZSCOPE_AUTH (what stands on a command line others can read)",
    )
    parser.add_argument("--revision", metavar="COMMIT", help="commit of a hub id")
    parser.add_argument(
        "--own-models",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether visitors may load checkpoints of their own choice (default: on this "
        "machine alone)",
    )
    limits.add_flags(parser)
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")


def bind(host: str, port: int) -> None:
    """Take a port for a moment; raises what the operating system says against it."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        if os.name == "posix":  # a port just given back is free; on Windows this flag would steal
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def own_address(value: str) -> str:
    """An address or a name of this machine."""
    try:
        bind(value, 0)
    except (OSError, UnicodeError) as error:
        raise argparse.ArgumentTypeError(
            f"{value} is no address of this machine, give {LOOPBACK} or use --listen for all"
        ) from error
    return value


def free_port(host: str, first: int) -> int:
    """The first port from ``first`` on that can be bound on ``host``; says so when it is later."""
    last = min(first + 99, 65535)
    for port in range(first, last + 1):
        try:
            bind(host, port)
        except PermissionError as error:
            raise Mistake(
                f"Port {port} is reserved for the administrator: give --port 1024 or above."
            ) from error
        except OSError:
            continue
        if port != first:
            print(f"Port {first} is taken: serving on {port}.", flush=True)
        return port
    raise Mistake(f"No port from {first} to {last} is free: give another --port.")


def own_models(arguments: argparse.Namespace, host: str, hosted: bool) -> bool:
    """Whether visitors may load what they name: where strangers are served, not unless told to."""
    if arguments.own_models != "auto":
        return arguments.own_models == "yes"
    return host == LOOPBACK and not arguments.share and not hosted


def opening(arguments: argparse.Namespace) -> None:
    """What `launch.py space` chose for the Space, where the command line says nothing else."""
    try:
        chosen = json.loads((ROOT / "space.json").read_text(encoding="utf-8"))
    except OSError:
        return
    except ValueError as error:
        raise Mistake("space.json is damaged: write the Space's folder again.") from error
    if arguments.model == model.DEFAULT and chosen.get("model"):
        folder = ROOT / chosen["model"]
        arguments.model = str(folder) if folder.is_dir() else chosen["model"]
        arguments.revision = arguments.revision or chosen.get("revision")


def import_gradio() -> None:
    """Import Gradio without ``mcp``, a tenth of its own time: our tools wait to be asked for.

    Gradio takes it for absent, which switches off nothing but a server of its own. Where Gradio
    itself is missing, the page says so when it asks for it.
    """
    waits = "mcp" not in sys.modules
    if waits:
        sys.modules["mcp"] = None  # type: ignore[assignment]
    try:
        with suppress(ModuleNotFoundError):
            import_module("gradio")
    finally:
        if waits:
            del sys.modules["mcp"]


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until it is stopped; being stopped is its proper end."""
    hosted = on_space()  # a Space's proxy reaches its container from outside
    if hosted:
        opening(arguments)
    if arguments.revision and Path(arguments.model).expanduser().is_dir():
        raise Mistake("--revision names the commit of a hub id, and --model is a folder.")
    auth = doorkeeper.from_flag(arguments.auth)
    host = arguments.host or (EVERYWHERE if arguments.listen or hosted else LOOPBACK)
    if arguments.family:
        from core import families

        families.get(arguments.family)  # an unknown name is told now, not once the page is open
    port = free_port(host, arguments.port)
    if arguments.listen:
        print(
            f"--listen: serving on every address, port {port}: whoever can reach this machine "
            f"can use the page and the model, {'with a' if auth else 'without a'} password.",
            flush=True,
        )
    if arguments.share:
        print(
            "--share: the page gets a public address through Gradio's relay: whoever has the "
            "link can use the page and the model while this runs, "
            f"{'with a' if auth else 'without a'} password.",
            flush=True,
        )
    try:
        import_gradio()
        from gui import app
        from gui.places import state_folder

        app.serve(
            app.Options(
                model=str(arguments.model),
                family=arguments.family,
                device=arguments.device,
                dtype=arguments.dtype,
                attention=arguments.attention,
                host=host,
                port=port,
                share=arguments.share,
                browser=not (arguments.no_browser or hosted),
                state=None if hosted else state_folder(),
                own_models=own_models(arguments, host, hosted),
                bounds=limits.from_flags(arguments, hosted or arguments.share),
                hosted=hosted,
                auth=auth,
                revision=arguments.revision,
            )
        )
    except KeyboardInterrupt:
        print("Stopped.", flush=True)
    return 0
