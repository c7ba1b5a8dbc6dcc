"""Items from somebody's own files: a folder, JSON, CSV, Parquet or the hub, columns by name.

A row that cannot be used is skipped and kept in ``problems`` with its line and the reason; the
rest is studied. Where a column is called something else than expected, name it with ``columns``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import RecordError, one_line
from core.study.cells import item_of
from core.study.hub import PREFIX, tables_of
from core.study.items import Items, Problem, StudyItem, checked, planning_maps, shipped
from core.study.reading import KINDS, rows_in

TABLES = (
    "items.jsonl",
    "items.json",
    "items.csv",
    "items.parquet",
    "metadata.jsonl",
    "metadata.csv",
    "metadata.parquet",
)
VSP_TABLE = "test_direct.jsonl"


def load_items(
    place: str | Path,
    count: int | None = None,
    columns: Mapping[str, str] | None = None,
    tasks: Sequence[str] | None = None,
    seed: int = 0,
    inside: bool = False,
) -> Items:
    """The items of a data set.

    Args:
        place: ``"scenes"`` or ``"scenes:where,count"`` for the shipped ones; a VSP set (folder
            or archive); a ``.json``, ``.jsonl``, ``.csv`` or ``.parquet`` file; a folder that
            holds one named ``items.*`` or ``metadata.*``, picture paths being relative to it;
            or ``"hub:OWNER/NAME"`` for a data set of the hub.
        count: the most items; None for all (100 shipped scenes).
        columns: our name → the file's, e.g. ``{"image": "img", "answer": "caption"}``.
        tasks: keep only these tasks.
        seed: of the shipped scenes.
        inside: pictures outside the table's own folder are refused, as a stranger's table is
            not to read the machine.

    Raises:
        RecordError: there is no such data set or it holds no usable row.
        InputError: an unknown task or column.
    """
    name = str(place)
    if name == "scenes" or name.startswith("scenes:"):
        from core.scenes import TASKS

        named = tuple(filter(None, name.partition(":")[2].split(",")))
        return shipped(named or tuple(tasks or TASKS), 100 if count is None else count, seed=seed)
    if name.startswith(PREFIX):
        return _gathered(tables_of(name), name, count, columns, tasks, inside)
    path = Path(place).expanduser()
    if not path.exists():
        raise RecordError(
            f"There is no data set at {path}: give a folder, a .json, .jsonl, .csv or .parquet "
            "file, or “scenes” for the shipped ones."
        )
    if path.name.endswith((".tar", ".tar.gz", ".tgz")) or (path / VSP_TABLE).is_file():
        return planning_maps(path, count)
    table = _table_of(path)
    return _gathered([table], table.name, count, columns, tasks, inside)


def _gathered(
    tables: Sequence[Path],
    source: str,
    count: int | None,
    columns: Mapping[str, str] | None,
    tasks: Sequence[str] | None,
    inside: bool,
) -> Items:
    """The usable rows of tables, the others as problems."""
    items, problems = Items(), []
    lines = ((table, *line) for table in tables for line in rows_in(table))
    for table, number, row in lines:
        if count is not None and len(items) >= count:
            break
        try:
            if isinstance(row, str):
                raise ValueError(row)
            item = item_of(row, table.parent, dict(columns or {}), number, inside)
            _check_written(item)
        except ValueError as error:
            problems.append(Problem(number, one_line(str(error))))
            continue
        if tasks is None or item.task in tasks:
            items.append(item)
    items = checked(items)
    items.source = source
    items.problems = tuple(problems)
    if not items:
        why = f" Line {problems[0].line}: {problems[0].reason}." if problems else ""
        raise RecordError(f"{source} holds no usable row.{why}")
    return items


def _check_written(item: StudyItem) -> None:
    """Of an item's texts, which go into files. Raises ValueError where one cannot."""
    texts = (item.id, item.question, item.answer, item.task, item.cluster, *item.options)
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("its text holds half a letter, which cannot be written") from None


def _table_of(path: Path) -> Path:
    if path.is_dir():
        for name in TABLES:
            if (path / name).is_file():
                return path / name
        raise RecordError(
            f"{path.name} holds none of {', '.join(TABLES)}: write one with a row an item (image, "
            "question, answer, options)."
        )
    if path.suffix.lower() not in KINDS:
        raise RecordError(
            f"{path.name} is no table this program reads: give {', '.join(KINDS[:-1])} or "
            f"{KINDS[-1]}."
        )
    return path
