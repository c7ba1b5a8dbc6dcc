"""Ask a model and a data set: does the answer use what the model imagines?"""

import argparse
import os
import sys
from pathlib import Path

from gui.commands import Mistake, model, several

REQUIRES = ["requirements.txt"]
ARMS_SHOWN = 12


def positive(value: str) -> int:
    """A whole number, at least one."""
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise argparse.ArgumentTypeError(f"{value!r} is no whole number above 0")
    return int(value)


def column(value: str) -> tuple[str, str]:
    """A column of ours and its name in the file, as ``answer=label``."""
    ours, mark, theirs = value.partition("=")
    if not mark or not ours or not theirs:
        raise argparse.ArgumentTypeError(f"{value!r} is not NAME=COLUMN, such as answer=label")
    return ours, theirs


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a study: the model, the items, the arms, the margins."""
    model.add_flags(parser)
    parser.add_argument(
        "--data",
        default="scenes",
        help="“scenes”, “scenes:where,count”, a VSP set, a .json, .jsonl, .csv or .parquet "
        "file, a folder with one, or hub:OWNER/NAME (default: scenes)",
    )
    parser.add_argument("--preset", default="quick", help="quick, published or full")
    parser.add_argument(
        "--arms", help="only these arms of the preset, by name, separated by semicolons"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("study"), help="folder of the results (default: study)"
    )
    parser.add_argument(
        "--items", type=positive, help="the most items (default: 200 scenes, or all)"
    )
    parser.add_argument("--tasks", help="only these tasks, separated by commas")
    parser.add_argument(
        "--column",
        type=column,
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help="what a column is called in the file; NAME is image, question, answer, options, "
        "task, cluster, box or id",
    )
    parser.add_argument("--seed", type=int, default=0, help="of donors and noise (default: 0)")
    parser.add_argument("--block", type=positive, default=32, help="items a batch (default: 32)")
    parser.add_argument("--draws", type=positive, default=1, help="random draws an item and arm")
    parser.add_argument("--budget", type=positive, help="latents a span is given")
    parser.add_argument("--max-new-tokens", type=positive, default=256, metavar="N")
    parser.add_argument(
        "--inside",
        type=int,
        metavar="N",
        help="change every step, exit, edge and slot of the first N items alone (default: 24 "
        "for full, 12 for published, else 0)",
    )
    parser.add_argument(
        "--force-latents", action="store_true", help="make the model open a span in every run"
    )
    parser.add_argument(
        "--alignment",
        choices=("forced", "paired"),
        default="forced",
        help="two runs whose latents are exchanged: the changed input's begins with the words the "
        "item's own said before its latents, or each goes its own way (default: forced)",
    )
    for name, default, unit in (
        ("accuracy", 0.02, "as a share"),
        ("flips", 0.05, "as a share"),
        ("logit", 0.1, "in nats"),
    ):
        parser.add_argument(
            f"--margin-{name}",
            type=float,
            default=default,
            metavar="M",
            help=f"change of {name} declared too small to matter, {unit} (default: {default})",
        )
    for name, default, said in (
        ("level", 0.95, "confidence of intervals"),
        ("least-emission", 0.2, "share of items that imagine below which nothing is concluded"),
        ("least-dose", 0.1, "delivered ε below which an edit tests nothing"),
        ("little", 0.25, "share of the picture's gain below which latents are said to hold little"),
    ):
        parser.add_argument(
            f"--{name}", type=float, default=default, metavar="X",
            help=f"{said} (default: {default})",
        )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the study or go on with it; 1 where no item could be run, else 0."""
    if not Path(arguments.model).is_dir() and arguments.model == model.DEFAULT:
        raise Mistake("The default model is not here: give a checkpoint with --model.")
    wanted = several.wished()
    if wanted is not None:
        return several.start(wanted)
    import core
    from core import study
    from core.study.arms import chosen, seeded

    state = several.processes()
    rank, count = state if state is not None else (0, 1)
    engine = core.load(
        str(arguments.model),
        family=arguments.family,
        device=device(arguments.device),
        dtype=arguments.dtype,
        attention=arguments.attention,
    )
    shipped = arguments.data == "scenes" or arguments.data.startswith("scenes:")
    items = study.load_items(
        arguments.data,
        count=arguments.items or (200 if shipped else None),
        columns=dict(arguments.column),
        tasks=arguments.tasks.split(",") if arguments.tasks else None,
        seed=arguments.seed,
    )
    arms = tuple(
        seeded(arm, arguments.draws) for arm in study.preset(arguments.preset, engine.family)
    )
    if arguments.arms:
        arms = chosen(arms, [name.strip() for name in arguments.arms.split(";") if name.strip()])
    design = study.Design(
        arms=arms,
        preset=arguments.preset,
        seed=arguments.seed,
        block=arguments.block,
        max_new_tokens=arguments.max_new_tokens,
        budget=arguments.budget,
        force_latents=arguments.force_latents,
        alignment=arguments.alignment,
        inside=max(
            0, study.inside_of(arguments.preset) if arguments.inside is None else arguments.inside
        ),
        margins=study.Margins(
            arguments.margin_accuracy, arguments.margin_flips, arguments.margin_logit
        ),
        level=arguments.level,
        least_emission=arguments.least_emission,
        least_dose=arguments.least_dose,
        little=arguments.little,
    )
    if rank == 0:
        tell(items, design)
    try:
        found = study.run(
            engine,
            items,
            design,
            arguments.out,
            report=meter if rank == 0 else None,
            rank=rank,
            processes=count,
        )
    finally:
        if rank == 0:
            print(file=sys.stderr)
    if count > 1:
        several.wait()
        if rank:
            return 0
        found = study.read(engine, items, design, arguments.out)
    study.write_all(found, arguments.out, rerun=["python", "launch.py", *sys.argv[1:]])
    for problem in found.problems[:5]:
        print(f"Skipped: {problem}", file=sys.stderr)
    if len(found.problems) > 5:
        print(f"… and {len(found.problems) - 5} more, see the report.", file=sys.stderr)
    print(f"{found.verdict.verdict}: {found.verdict.reason}")
    print(f"Report: {arguments.out / 'report.html'}")
    return 0 if any("choice" in row for row in found.rows) else 1


def device(asked: str) -> str:
    """The device; the processor where the launcher was told so and the command was not."""
    return "cpu" if asked == "auto" and several.on_processors(os.environ) else asked


def tell(items: list, design: object) -> None:
    """Say what is about to be run, and what so many items can show."""
    from core.measures.statistics import items_to_exclude, minimum_detectable

    arms = [arm.name for arm in design.arms]  # type: ignore[attr-defined]
    shown = ", ".join(arms[:ARMS_SHOWN]) + (", …" if len(arms) > ARMS_SHOWN else "")
    print(f"{len(items)} items × {len(arms)} arms: {shown}", file=sys.stderr)
    for rate in (0.02, 0.1):
        least = minimum_detectable(len(items), rate)
        print(
            f"With {rate:.0%} of answers changing, a net change of {least:.1%} would be seen "
            "(80 % power).",
            file=sys.stderr,
        )
    margins = design.margins  # type: ignore[attr-defined]
    few, many = (
        items_to_exclude(margin, design.level)  # type: ignore[attr-defined]
        for margin in (margins.flips, margins.accuracy)
    )
    print(
        f"An arm that changes no answer at all is shown to be equivalent to none with {many} items "
        f"(with {few} where the logit difference holds still as well).",
        file=sys.stderr,
    )


def meter(progress: object) -> None:
    """One line that is written over: how far, how fast, how long still."""
    done, total = progress.done, progress.total  # type: ignore[attr-defined]
    left = progress.left  # type: ignore[attr-defined]
    more = (
        ""
        if left is None
        else f", {left / 60:.0f} min left"
        if left > 90
        else f", {left:.0f} s left"
    )
    rate = progress.rate  # type: ignore[attr-defined]
    print(
        f"\r{done}/{total} rows, {rate:.1f} a second{more}    ", end="", file=sys.stderr, flush=True
    )
