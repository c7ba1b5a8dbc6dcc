"""Record example runs, so that the page has something to show where there is no model."""

import argparse
from pathlib import Path

from gui.commands import ROOT, Mistake

REQUIRES = ["requirements.txt"]
MODELS = ("faithful", "shortcut", "words", "slot")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where the runs go."""
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "assets" / "recorded",
        help="folder to write (default: assets/recorded)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run one example of each task with each shipped model, edit it, and keep all of it."""
    import gradio as gr

    import core
    from core.scenes import gallery
    from gui.panel import Panel
    from gui.recordings import record
    from gui.workshop import Workshop

    with gr.Blocks(analytics_enabled=False):
        panel = Panel()
    for name in MODELS:
        folder = ROOT / "assets" / "models" / name
        workshop = Workshop(lambda folder=folder: core.load(folder, device="cpu"), gallery)
        workshop.warm()
        if not workshop.ready:
            raise Mistake(workshop.failure)
        for path in record(workshop, name, panel, arguments.out):
            print(path, flush=True)
    return 0
