"""A whole study: rows, checks, effects, mediation, a verdict; resumable, and read again at will.

::

    from core import study

    items = study.load_items("scenes", 200)
    found = study.run(engine, items, study.design_of("quick", engine), "out")
    print(found.verdict.verdict, found.verdict.reason)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from core.engine import Engine
from core.errors import RecordError
from core.records.atomic import replacing
from core.study.bank import give_bank
from core.study.crossing import splits_of
from core.study.design import Design, model_fingerprint
from core.study.effects import Effect, effects_of
from core.study.inside.looking import look_inside
from core.study.items import Items, StudyItem
from core.study.mediation import Split
from core.study.pairs import Pairs, pair_up
from core.study.presets import inside_of, preset
from core.study.rows import Row
from core.study.runner import Keys, Report, keys_of, rows_of, run_rows
from core.study.validation import Check, controls, invariants
from core.study.verdict import Evidence, Verdict, judge


@dataclass(frozen=True, eq=False)
class Study:
    """What a study found.

    Attributes:
        design: as declared.
        about: model, family, precision, data set and versions, for the report.
        rows: every finished row, in the order of items, arms and draws.
        checks: the validation card.
        pairs, effects: by arm.
        splits: mediation analyses by name.
        verdict: over all items.
        by_task: exploratory: the same tree within each task.
        problems: what could not be used, a sentence each.
    """

    design: Design
    about: dict[str, Any]
    rows: tuple[Row, ...]
    checks: tuple[Check, ...]
    pairs: dict[str, Pairs]
    effects: dict[str, Effect]
    splits: dict[str, Split]
    verdict: Verdict
    by_task: dict[str, Verdict] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def design_of(name: str, engine: Engine, **more: Any) -> Design:
    """The design of a preset for a model; ``more`` are fields of :class:`Design`.

    Raises:
        InputError: an unknown preset.
    """
    more = {"inside": inside_of(name), **more}
    return Design(arms=preset(name, engine.family), preset=name, **more)


def run(
    engine: Engine,
    items: Sequence[StudyItem],
    design: Design,
    folder: str | Path,
    report: Report | None = None,
    cancel: Event | None = None,
    rank: int = 0,
    processes: int = 1,
    stage: Callable[[str], None] = lambda said: None,
) -> Study:
    """Make the rows that are missing and read the study.

    Args:
        folder: where it lives; made if need be. A study of the same design goes on there.
        report: called with a :class:`core.study.runner.Progress` after every item.
        cancel: stops within one decode step.
        rank, processes: this process and how many there are; each does its own blocks, and
            reading them is left to whoever calls :func:`read` when all are done.
        stage: told what is being done, in words.

    Raises:
        Cancelled, RecordError: see :func:`core.study.runner.run_rows`.
    """
    place = Path(folder)
    _prepare(place)
    stage("collecting what normal latents are")
    give_bank(engine, items, design, place, cancel)
    stage("checking the instrument on this model")
    checks = invariants(engine, items, design, cancel)
    keys = keys_of(engine, design)  # once: the files may change while their model is at work
    stage("asking the model")
    run_rows(engine, items, design, place, report, cancel, rank, processes, keys)
    look_inside(engine, items, design, place, keys, cancel, rank, processes, stage)
    stage("reading what was found")
    return read(engine, items, design, place, checks, keys)


def read(
    engine: Engine,
    items: Sequence[StudyItem],
    design: Design,
    folder: str | Path,
    checks: Sequence[Check] | None = None,
    keys: Keys | None = None,
) -> Study:
    """The study that the finished rows make, however many there are.

    Args:
        checks: of :func:`core.study.validation.invariants`; None runs them.
        keys: names of the rows; None takes them from the checkpoint's files as they are now.
    """
    first = list(invariants(engine, items, design) if checks is None else checks)
    rows = tuple(rows_of(items, design, keys or keys_of(engine, design), Path(folder)))
    pairs = pair_up(rows, design.arms)
    effects = effects_of(pairs, design)
    found = (*first, *controls(pairs, effects, engine.choice.dtype_name))
    splits = splits_of(pairs, design)
    base = [pair.base for pair in pairs[design.arms[0].name].pairs]
    family = engine.family
    evidence = Evidence(
        family.title,
        family.latent,
        family.imagines_in_words,
        base,
        pairs,
        effects,
        splits,
        found,
        design,
    )
    return Study(
        design=design,
        about=_about(engine, items),
        rows=rows,
        checks=found,
        pairs=pairs,
        effects=effects,
        splits=splits,
        verdict=judge(evidence),
        by_task=_by_task(evidence),
        problems=_problems(items, rows),
    )


def glance(
    engine: Engine, items: Sequence[StudyItem], design: Design, folder: str | Path, keys: Keys
) -> Study:
    """What the rows that are there show, quickly: effects, and no verdict yet."""
    rows = tuple(rows_of(items, design, keys, Path(folder)))
    pairs = pair_up(rows, design.arms)
    quick = replace(design, resamples=min(design.resamples, 200))
    waiting = Verdict(
        "still running", "A verdict is given when every row is there.", {}, validated=False
    )
    return Study(
        design=design,
        about=_about(engine, items),
        rows=rows,
        checks=(),
        pairs=pairs,
        effects=effects_of(pairs, quick),
        splits={},
        verdict=waiting,
        problems=_problems(items, rows),
    )


def _by_task(evidence: Evidence) -> dict[str, Verdict]:
    """The same tree within each task; the instrument is judged on all of them together."""
    tasks: dict[str, set[str]] = {}
    for row in evidence.base:
        tasks.setdefault(str(row["task"]), set()).add(str(row["item"]))
    if len(tasks) < 2:
        return {}
    found = {}
    for task, names in tasks.items():
        pairs = {name: one.only(names) for name, one in evidence.pairs.items()}
        within = replace(
            evidence,
            base=[row for row in evidence.base if row["item"] in names],
            pairs=pairs,
            effects=effects_of(pairs, evidence.design),
            splits=splits_of(pairs, evidence.design),
        )
        found[task] = judge(within)
    return found


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(
            f"{folder} cannot be made ({error.strerror or error}); give another folder."
        ) from error


def _about(engine: Engine, items: Sequence[StudyItem]) -> dict[str, Any]:
    import torch
    import transformers

    source = items.source if isinstance(items, Items) else ""
    return {
        "model": engine.name,
        "revision": engine.loaded.revision,
        "fingerprint": model_fingerprint(engine),
        "family": engine.family.title,
        "device": engine.choice.device,
        "dtype": engine.choice.dtype_name,
        "attention": engine.attention,
        "budget": engine.budget,
        "layers": engine.passes.layers,
        "bank": engine.bank.source if engine.bank is not None else None,
        "data": source,
        "items": len(items),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _problems(items: Sequence[StudyItem], rows: Sequence[Row]) -> tuple[str, ...]:
    said = [
        f"line {problem.line}: {problem.reason}"
        for problem in (items.problems if isinstance(items, Items) else ())
    ]
    wrong = {row["item"]: row["error"] for row in rows if "error" in row}
    return (*said, *(f"{item}: {reason}" for item, reason in wrong.items()))


def write_summary(study: Study, folder: str | Path) -> None:
    """Write ``design.json`` and ``verdict.json``."""
    files = {
        "verdict.json": {
            **study.verdict.plain(),
            "by_task": {task: verdict.plain() for task, verdict in study.by_task.items()},
            "checks": [check.plain() for check in study.checks],
        },
        "design.json": {"about": study.about, "design": study.design.plain()},
    }
    for name, said in files.items():
        try:
            with replacing(Path(folder) / name) as file:
                file.write(json.dumps(said, indent=1, ensure_ascii=False).encode("utf-8"))
        except OSError as error:
            raise RecordError(f"{name} cannot be written to {folder} ({error}).") from error
