"""What a study leaves behind for people: a tidy table and a report that needs nothing else.

``results.csv`` has a row an item, arm and draw; ``effects.csv`` one an arm; ``report.html`` is
one file with figures, tables, the method, the settings and how to run it again. Parquet is not
written: it would need a library this project does not have.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from core.errors import RecordError
from core.measures.statistics import Interval
from core.records.atomic import replacing
from core.study import figures
from core.study.effects import Effect
from core.study.findings import Finding, findings, latents_of
from core.study.rows import Row
from core.study.study import Study, write_summary

COLUMNS = (
    "item", "task", "cluster", "arm", "draw", "gold", "answer", "choice", "right", "said right",
    "expected", "donor", "imagined", "latents", "epsilon", "cosine", "hidden", "percentile",
    "length", "ended", "repeats", "problem", "skipped", "error", "scores", "text", "key",
)  # fmt: skip
METHOD = (
    "Each arm is one intervention on every item. An arm is compared with the base run of the "
    "same item; the item is the unit, random draws are averaged within it, and items on one "
    "picture are resampled together. The choice is the option with the highest log-probability "
    "after the run's own words (the parsed answer where an item has no options). Rates have "
    "Wilson or Newcombe intervals, clustered data and continuous outcomes BCa bootstrap "
    "intervals. “Equivalent to none” is shown by two one-sided tests against the margins "
    "declared before the run, never by a large p. p-values are exact McNemar tests (sign flips "
    "by cluster), adjusted by Holm within the declared arms and by Benjamini and Hochberg among "
    "exploratory ones. Mediation terms are observed, not modelled: the latents of one input are "
    "put into the run on the other.",
    "Latent edits propagate unless an arm says pinned or cached: later latents are computed "
    "again from the edited ones. ε is the delivered dose ‖z′−z‖/‖z‖. A null under content edits "
    "leaves the slots’ own computation in place, which is why slots and edges are edited too. "
    "That a model does not use its latents now says nothing about what they did in training.",
)
LOOK = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #8884; padding: .25rem .6rem; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { border-left: 6px solid #0072b2; padding: .2rem 1rem; font-size: 1.1rem; }
.fail { color: #d55e00; font-weight: 600; }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
.grids svg { display: inline-block; }
pre { overflow-x: auto; background: #8881; padding: .8rem; }
"""


def write_all(study: Study, folder: str | Path, rerun: Sequence[str] = ()) -> None:
    """Write ``verdict.json``, ``design.json``, both tables and the report.

    Args:
        rerun: the command line that makes this study again.

    Raises:
        RecordError: they cannot be written.
    """
    write_summary(study, folder)
    _write(folder, "results.csv", results_csv(study.rows))
    _write(folder, "effects.csv", effects_csv(study))
    said = findings(study.effects, latents_of(folder))
    _write(folder, "report.html", html(study, said, rerun))


def results_csv(rows: Sequence[Row]) -> str:
    """The tidy table: one row an item, arm and draw."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        receipt = (row.get("receipts") or [{}])[0]
        cells = {**receipt, **row}
        for name in ("scores", "latents"):
            cells[name] = json.dumps(row[name], ensure_ascii=False) if name in row else ""
        writer.writerow({name: _cell(cells.get(name)) for name in COLUMNS})
    return out.getvalue()


def effects_csv(study: Study) -> str:
    """One row an arm, intervals as three columns."""
    out = io.StringIO()
    rows = [_flat(effect) for effect in study.effects.values()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
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


def html(study: Study, said: Sequence[Finding] = (), rerun: Sequence[str] = ()) -> str:
    """The report as one HTML page without scripts and without anything from elsewhere."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Zscope study: {escape(str(study.about['model']))}</title>",
        f"<style>{LOOK}</style></head><body>",
        f"<h1>Does this model use what it imagines?</h1><p>{_settings_line(study)}</p>",
        f"<div class='verdict'><p><b>{escape(study.verdict.verdict)}</b></p>"
        f"<p>{escape(study.verdict.reason)}</p></div>",
        _tasks(study),
        _health(study),
        _effects(study),
        _mediation(study),
        _published(said),
        _card(study),
        _problems(study),
        "<h2>Method</h2>" + "".join(f"<p>{escape(words)}</p>" for words in METHOD),
        _settings(study, rerun),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _settings_line(study: Study) -> str:
    about = study.about
    words = (
        f"{about['model']} ({about['family']}, {about['dtype']} on {about['device']}), "
        f"{about['items']} items of {about['data'] or 'a data set'}, preset "
        f"“{study.design.preset}”, {len(study.design.arms)} arms"
    )
    return escape(words)


def _tasks(study: Study) -> str:
    if not study.by_task:
        return ""
    rows = [[task, v.verdict, v.reason] for task, v in study.by_task.items()]
    return "<h2>By task (exploratory)</h2>" + _table(["task", "verdict", "reason"], rows)


def _health(study: Study) -> str:
    base = study.pairs[study.design.arms[0].name].pairs
    if not base:
        return "<h2>Health</h2><p>No item could be run.</p>"
    from core.study.effects import health_of

    rows: list[list[Any]] = [["base", len(base), *_healthy(health_of([p.base for p in base]))]]
    rows += [[e.arm, e.items, *_healthy(e.health)] for e in study.effects.values() if e.items]
    head = ["arm", "items", "imagined", "latents", "unread", "repeats", "cut off", "length"]
    return "<h2>Emission, reading and health</h2>" + _table(head, rows)


def _healthy(health: dict[str, float]) -> list[str]:
    shares = [f"{health[name]:.0%}" for name in ("imagined",)]
    shares.append(f"{health['latents']:.1f}")
    shares += [f"{health[name]:.1%}" for name in ("unread", "repeats", "cut off")]
    return [*shares, f"{health['length']:.1f}"]


def _effects(study: Study) -> str:
    shown = [effect for effect in study.effects.values() if effect.items]
    margins = study.design.margins
    declared = [e for e in shown if e.declared]
    figure = figures.forest(
        [(e.arm, e.change, e.verdict) for e in declared],
        margins.accuracy,
        "Change of accuracy (points), declared margin shaded",
    )
    logit = figures.forest(
        [(e.arm, e.logit, e.on_logit) for e in declared],
        margins.logit,
        "Change of the logit difference (nats), declared margin shaded",
        scale=1.0,
        unit="nats",
    )
    flows = figures.stacked([(e.arm, e.flows) for e in shown], "How answers moved (items)")
    doses = sorted((e for e in shown if e.role == "dose"), key=lambda e: e.dose.get("epsilon", 0))
    lines = {"Gaussian noise": [(e.dose.get("epsilon", 0.0), e.flips) for e in doses]}
    sham = [(e.dose.get("epsilon", 0.0), e.flips) for e in shown if e.role == "sham" and e.dose]
    if doses and sham:
        lines["sham: same-answer swap"] = sham
    curve = (
        figures.curves(lines, "Dose and response", "delivered ε", "share of answers that change")
        if doses
        else ""
    )
    head = [
        "arm", "what is done", "items", "Δ accuracy", "all items", "answers changed",
        "follows donor", "Δ logit", "ε", "p (adjusted)", "detectable", "verdict",
    ]  # fmt: skip
    rows = [
        [
            effect.arm + ("" if effect.declared else " (exploratory)"),
            effect.says,
            _count(effect),
            _interval(effect.change, 100),
            _interval(effect.intention, 100),
            _interval(effect.flips, 100),
            _interval(effect.follow, 100),
            _interval(effect.logit, 1, 2),
            _number(effect.dose.get("epsilon")),
            _number(effect.adjusted, 3),
            _number(100 * effect.detectable, 1),
            effect.verdict,
        ]
        for effect in shown
    ]
    absent = [
        [effect.arm, reason, count]
        for effect in study.effects.values()
        for reason, count in effect.skipped.items()
    ]
    lost = "<h3>Not applied</h3>" + _table(["arm", "why", "items"], absent) if absent else ""
    return f"<h2>Effects</h2>{figure}{logit}{flows}{curve}{_table(head, rows)}{lost}"


def _count(effect: Effect) -> str:
    return f"{effect.items}" + (f" (+{effect.silent} silent)" if effect.silent else "")


def _mediation(study: Study) -> str:
    if not study.splits:
        return ""
    parts = ["<h2>What goes through the latents</h2>"]
    for name, split in study.splits.items():
        unit = "nats" if "nats" in split.outcome else "points"
        scale = 1.0 if unit == "nats" else 100.0
        rows = [
            ("TE, total", split.total, ""),
            ("NDE, past the latents", split.direct, ""),
            ("NIE, through the latents", split.indirect, ""),
            ("TIE = TE − NDE", split.total_indirect, ""),
            ("INT = TE − NDE − NIE", split.interaction, ""),
        ]
        parts.append(figures.forest(rows, None, f"{name} ({split.items} items)", scale, unit))
        said = f"m: {split.outcome}; {split.apart} items left out."
        if split.pure.estimate == split.pure.estimate:
            said += (
                f" Proportion mediated NIE/TE {_interval(split.pure, 100)} %, TIE/TE "
                f"{_interval(split.whole, 100)} %."
            )
        else:
            said += " No proportion mediated is given: the total effect's interval covers 0."
        parts.append(f"<p>{escape(said)}</p>")
    return "".join(parts)


def _published(said: Sequence[Finding]) -> str:
    if not said:
        return ""
    parts = ["<h2>The published findings, derived again</h2>"]
    for finding in said:
        parts.append(f"<p>{escape(finding.says)}</p>")
        grids = [
            figures.grid(panel[:40, :40].tolist(), f"step {step + 1}", 0.0, 1.0)
            for step, panel in enumerate(finding.panels)
        ]
        if grids:
            parts.append(f"<div class='grids'>{''.join(grids)}</div>")
    return "".join(parts)


def _card(study: Study) -> str:
    rows = [
        [
            check.name,
            "passed" if check.passed else ("FAILED" if check.needed else "acts"),
            check.seen,
        ]
        for check in study.checks
    ]
    return "<h2>Validation card</h2>" + _table(["check", "result", "seen"], rows)


def _problems(study: Study) -> str:
    if not study.problems:
        return ""
    lines = "".join(f"<li>{escape(problem)}</li>" for problem in study.problems[:200])
    return f"<h2>Not used ({len(study.problems)})</h2><ul>{lines}</ul>"


def _settings(study: Study, rerun: Sequence[str]) -> str:
    again = f"<pre>{escape(shlex.join(rerun))}</pre>" if rerun else ""
    said = json.dumps(
        {"about": study.about, "design": study.design.plain()}, indent=1, ensure_ascii=False
    )
    return (
        f"<h2>Settings, and how to run it again</h2>{again}<details><summary>Everything</summary>"
        f"<pre>{escape(said)}</pre></details>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    top = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(_td(cell) for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _td(cell: Any) -> str:
    words = str(cell)
    kind = " class='n'" if words[:1] in "+-−0123456789" and len(words) < 40 else ""
    kind = " class='fail'" if words == "FAILED" else kind
    return f"<td{kind}>{escape(words)}</td>"


def _interval(interval: Interval, scale: float = 1.0, digits: int = 1) -> str:
    if interval.estimate != interval.estimate:
        return "–"
    values = [scale * v for v in (interval.estimate, interval.low, interval.high)]
    return "{:+.{d}f} ({:+.{d}f} to {:+.{d}f})".format(*values, d=digits)


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def _write(folder: str | Path, name: str, words: str) -> None:
    try:
        with replacing(Path(folder) / name) as file:
            file.write(words.encode("utf-8"))
    except OSError as error:
        raise RecordError(
            f"{name} cannot be written to {folder} ({error.strerror or error}): see to that and "
            "run the study again; finished rows are kept."
        ) from error
