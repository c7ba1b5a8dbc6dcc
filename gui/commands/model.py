"""Which model a command works with and how it is loaded: flags that several commands share."""

import argparse
import os
import re
from pathlib import Path

from gui.commands import ROOT

MODELS = ROOT / "assets" / "models"
DEFAULT = MODELS / "faithful"


def device_name(value: str) -> str:
    """``auto``, or a device as torch writes it; whether this machine has it is told later."""
    if not re.fullmatch(r"auto|all|cpu|mps|cuda(:\d+)?", value):
        raise argparse.ArgumentTypeError(f"{value!r} is none of auto, cpu, cuda, cuda:1, mps, all")
    return value


def checkpoint(value: str) -> str:
    """A checkpoint's folder that exists, or something that can be a hub id."""
    folder = Path(value).expanduser()
    if folder.is_dir():
        return str(folder)
    if folder.exists():
        raise argparse.ArgumentTypeError(f"{value} is a file, give the folder of a checkpoint")
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", value):
        raise argparse.ArgumentTypeError(
            f"there is no folder {value}, give a checkpoint's folder or a hub id as OWNER/NAME"
        )
    return value


class Threads(argparse.Action):
    """Takes the number of threads down where torch looks for it when it is imported."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if not str(values).isdigit() or not int(str(values)):
            parser.error(f"argument --threads: {values!r} is no number of threads, give 1 or more")
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(values)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which model to load and how."""
    parser.add_argument(
        "--model",
        metavar="PATH_OR_ID",
        type=checkpoint,
        default=DEFAULT,
        help="a checkpoint's folder or its hub id, such as NOVAglow646/Monet-7B "
        "(default: the shipped faithful demo model)",
    )
    parser.add_argument(
        "--family",
        metavar="NAME",
        help="how the model reasons in latents (default: read off the checkpoint's own tokens)",
    )
    parser.add_argument(
        "--device",
        type=device_name,
        default="auto",
        help="auto, cpu, cuda, cuda:1, mps, all (over all GPUs) (default: auto)",
    )
    parser.add_argument(
        "--dtype",
        choices=["auto", "float32", "bfloat16", "float16", "8bit", "4bit"],
        default="auto",
        help="precision of the weights; 8bit and 4bit need bitsandbytes (default: auto)",
    )
    parser.add_argument(
        "--attention",
        choices=["sdpa", "eager", "flash_attention_2"],
        default="sdpa",
        help="attention implementation (default: sdpa)",
    )
    parser.add_argument(
        "--threads",
        metavar="N",
        action=Threads,
        default=argparse.SUPPRESS,
        help="most threads on a CPU; small passes take one anyway (default: one a core)",
    )
