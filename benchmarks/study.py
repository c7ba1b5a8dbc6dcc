"""What a study costs, against a plain loop that runs every arm from the start.

    python benchmarks/study.py [--model FOLDER] [--items 64] [--plain 8]

Runs eight arms of the quick preset over shipped scenes, first as `launch.py study` does (items
in batches, branches of all of them from held prefixes, options scored together), then as the
usual evaluation script does: for every arm of every item the question is asked again from its
picture, the edit is applied on the way, and the options are scored one after the other.
Processor seconds, which other work on the machine does not change; the plain loop is timed on
fewer items and given per item.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import core  # noqa: E402
from core import Edit, study  # noqa: E402
from core.engine import Engine  # noqa: E402
from core.study.arms import chosen  # noqa: E402
from core.study.items import Items  # noqa: E402
from core.study.runner import run_rows  # noqa: E402

ARMS = ("identity", "swap, other answer", "noise", "step mean", "zero", "markers only", "no span")


def plain(engine: Engine, items: Items) -> None:
    """Every arm of every item from the start, options one by one."""
    edits = ("identity", "swap", "gaussian", "step_mean", "zero", "markers", "delete")
    for item in items:
        assert item.picture is not None
        other = next(one for one in items if one is not item)
        assert other.picture is not None
        for kind in (None, *edits):
            trace = engine.run(item.picture(), item.question)
            if kind is not None:
                donor = engine.run(other.picture(), other.question) if kind == "swap" else None
                trace = engine.branch(trace, [Edit(kind, donor=donor)])
            for option in item.options:
                engine.score(trace, [option, "none of these"])
        engine.store.clear()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(ROOT / "assets/models/faithful"))
    parser.add_argument("--items", type=int, default=64)
    parser.add_argument("--plain", type=int, default=8, help="items of the plain loop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    engine = core.load(options.model, dtype="float32", device="cpu")
    items = study.load_items("scenes", options.items)
    questions = [(item.picture(), item.question) for item in items[:32] if item.picture]
    engine.build_bank(questions, "the first items")  # warms up as well
    arms = chosen(study.preset("quick", engine.family), ARMS)
    design = study.Design(arms, preset="quick")
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        rows = run_rows(engine, items, design, Path(folder))
        ours = (time.process_time() - start) / len(items)
    start = time.process_time()
    plain(engine, Items(items[: options.plain]))
    theirs = (time.process_time() - start) / options.plain
    print(f"{Path(options.model).name}: {len(items)} items × {len(arms)} arms, {rows} rows")
    print(f"study        {1e3 * ours:7.1f} ms an item, {500 * ours:6.0f} s for 500 items")
    print(f"plain loop   {1e3 * theirs:7.1f} ms an item, {500 * theirs:6.0f} s for 500 items")
    print(f"             {theirs / ours:7.1f}× ")


if __name__ == "__main__":
    main()
