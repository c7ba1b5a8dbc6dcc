"""Tables a study leaves behind: tidy CSV and Parquet, one row an item, arm and draw.

``results.csv`` and ``results.parquet`` hold the same columns; in the CSV, text that a
spreadsheet would take for a formula has a quote before it. ``effects.csv`` has a row an arm.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.measures.statistics import Interval
from core.study.effects import Effect
from core.study.rows import Row

TEXT, WHOLE, REAL, TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()
COLUMNS: dict[str, pa.DataType] = {
    "item": TEXT,
    "task": TEXT,
    "cluster": TEXT,
    "arm": TEXT,
    "draw": WHOLE,
    "gold": TEXT,
    "answer": TEXT,
    "choice": TEXT,
    "right": TRUTH,
    "said right": TRUTH,
    "expected": TEXT,
    "donor": TEXT,
    "aligned": TRUTH,
    "imagined": TRUTH,
    "latents": pa.list_(WHOLE),
    "epsilon": REAL,
    "cosine": REAL,
    "hidden": REAL,
    "percentile": REAL,
    "moved": REAL,
    "length": WHOLE,
    "ended": TEXT,
    "repeats": TRUTH,
    "problem": TEXT,
    "skipped": TEXT,
    "error": TEXT,
    "scores": TEXT,
    "text": TEXT,
    "key": TEXT,
}
"""Columns of the results and their types; ``scores`` is a JSON object, option → log-probability."""


def results_csv(rows: Sequence[Row]) -> str:
    """The tidy table: one row an item, arm and draw."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = cells_of(row)
        if cells["latents"] is not None:
            cells["latents"] = json.dumps(cells["latents"])
        writer.writerow({name: _guarded(value) for name, value in cells.items()})
    return out.getvalue()


def results_parquet(rows: Sequence[Row]) -> bytes:
    """The tidy table as a Parquet file; what a row does not say is null."""
    schema = pa.schema(list(COLUMNS.items()))
    table = pa.Table.from_pylist([cells_of(row) for row in rows], schema=schema)
    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    return bytes(out.getvalue())


def effects_csv(effects: Iterable[Effect]) -> str:
    """One row an arm, intervals as three columns."""
    out = io.StringIO()
    rows = [_flat(effect) for effect in effects]
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def cells_of(row: Row) -> dict[str, Any]:
    """A row's columns, the dose taken from its first receipt; None for what it does not say."""
    receipt = (row.get("receipts") or [{}])[0]
    found = {**receipt, **row}
    cells = {name: found.get(name) for name in COLUMNS}
    if cells["scores"] is not None:
        cells["scores"] = json.dumps(cells["scores"], ensure_ascii=False)
    return cells


def _guarded(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets a quote before it."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" and value else value


def _flat(effect: Effect) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in vars(effect).items():
        if isinstance(value, Interval):
            out |= {name: value.estimate, f"{name} low": value.low, f"{name} high": value.high}
        elif name == "skipped":
            out["skipped"] = sum(value.values())
        elif isinstance(value, dict):
            out |= {f"{name} {key}": number for key, number in value.items()}
        else:
            out[name] = value
    return out
