"""A command in several processes: which one this is, and starting them where nobody did.

``torchrun`` and ``accelerate launch`` with accelerators start every process themselves and say
in the environment which one each is. ``accelerate launch --cpu --num_processes N`` does not: its
launcher of processors leaves that to MPI and, where there is none, starts a single process and
does not even tell it N. So the number is read where it stands, in the launcher's own command
line, and this first process starts the N.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from gui.commands import Mistake

COUNTS = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""Where torch's and MPI's launchers say how many processes there are."""


class Wished(NamedTuple):
    """What a launcher was asked for and did not do.

    Attributes:
        processes: on all machines together.
        machines, machine: how many there are, and which one this is.
        address, port: where the first one listens; None on a single machine.
    """

    processes: int
    machines: int = 1
    machine: int = 0
    address: str | None = None
    port: int | None = None


def processes() -> tuple[int, int] | None:
    """(rank, number) where a launcher started several, else None.

    Without an accelerator accelerate has to be told that the processes are the CPU's; it would
    take each for the only one.
    """
    if not _told(os.environ):
        return None
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=on_processors(os.environ) or not torch.cuda.is_available())
    return state.process_index, state.num_processes


def wait() -> None:
    """Until every process has come here."""
    from accelerate import PartialState

    PartialState().wait_for_everyone()


def on_processors(environment: Mapping[str, str]) -> bool:
    """Whether `accelerate launch --cpu` started this."""
    return environment.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")


def wished() -> Wished | None:
    """The processes `accelerate launch --cpu` was asked for and left to this one to start."""
    if not on_processors(os.environ) or _told(os.environ):
        return None
    import psutil

    try:
        return read(psutil.Process(os.getppid()).cmdline())
    except psutil.Error:
        return None


def read(command: Sequence[str]) -> Wished | None:
    """What a launcher's command line asks for; None where it is none, or asks for one process.

    >>> read(["accelerate", "launch", "--cpu", "--num_processes", "2", "launch.py", "study"])
    Wished(processes=2, machines=1, machine=0, address=None, port=None)
    """
    names = [Path(word).name for word in command]
    for place, name in enumerate(names):
        if name in ("accelerate-launch", "accelerate.commands.launch"):
            rest = command[place + 1 :]
            break
        if name == "accelerate" and names[place + 1 : place + 2] == ["launch"]:
            rest = command[place + 2 :]
            break
    else:
        return None
    from accelerate.commands.launch import launch_command_parser

    asked, _ = launch_command_parser().parse_known_args(list(rest))
    count = asked.num_processes or 1
    if count < 2:
        return None
    return Wished(
        count,
        asked.num_machines or 1,
        asked.machine_rank or 0,
        asked.main_process_ip,
        asked.main_process_port,
    )


def start(wanted: Wished) -> int:
    """Run this command again in every process of this machine; the first exit code that is not 0.

    When one of them fails the others are ended, which would wait for it for ever.

    Raises:
        Mistake: several machines that do not divide the processes, or have no meeting place.
    """
    here, over = divmod(wanted.processes, wanted.machines)
    if over:
        raise Mistake(
            f"{wanted.processes} processes cannot be shared evenly by {wanted.machines} machines."
        )
    if wanted.machines > 1 and not (wanted.address and wanted.port):
        raise Mistake("Several machines need --main_process_ip and --main_process_port.")
    meeting = {
        "MASTER_ADDR": wanted.address or "127.0.0.1",
        "MASTER_PORT": str(wanted.port or _free_port()),
        "WORLD_SIZE": str(wanted.processes),
        "LOCAL_WORLD_SIZE": str(here),
    }
    children = []
    for local in range(here):
        rank = wanted.machine * here + local
        place = {"RANK": str(rank), "LOCAL_RANK": str(local)}
        command = [sys.executable, *sys.argv]
        children.append(subprocess.Popen(command, env={**os.environ, **meeting, **place}))
    failed = 0
    with ThreadPoolExecutor(here) as pool:
        try:
            for one in as_completed([pool.submit(child.wait) for child in children]):
                if one.result() and not failed:
                    failed = one.result()
                    _end(children)
        except BaseException:
            _end(children)
            raise
    return failed


def _told(environment: Mapping[str, str]) -> bool:
    return any(int(environment.get(name) or "1") > 1 for name in COUNTS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(children: Sequence[subprocess.Popen]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
