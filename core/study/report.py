"""What a study leaves behind for people: tables, and a report that needs nothing else.

``results.csv`` and ``results.parquet`` have a row an item, arm and draw; ``effects.csv`` one an
arm; ``report.html`` is one file with figures, tables, the method, the settings and how to run
it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from core.errors import RecordError
from core.records.atomic import replacing
from core.study import geometry, sections
from core.study.exports import effects_csv, results_csv, results_parquet
from core.study.findings import findings
from core.study.inside import looks_of
from core.study.keeping import KEPT_LATENTS, depths_of
from core.study.kept import latents_of
from core.study.probe_map import probe_map
from core.study.probing import probes
from core.study.relay import relays_of
from core.study.study import Study, write_summary

MOST_AROUND = 1000
"""Tensors of the first items' surroundings that are read."""
LOOK = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
table { border-collapse: collapse; font-size: .9em; }
.wide { overflow-x: auto; }
th, td { border-bottom: 1px solid #8884; padding: .25rem .6rem; text-align: left;
  vertical-align: top; }
td.t { min-width: 18em; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.found { border-left: 6px solid #0072b2; padding: .2rem 1rem; font-size: 1.1rem; }
.fail { color: #d55e00; font-weight: 600; }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
.grids svg { display: inline-block; margin: .2rem; }
figure { margin: 1.4rem 0; overflow-x: auto; }
figcaption { font-size: .88em; opacity: .85; max-width: 54rem; }
.save { white-space: nowrap; }
.absent { font-size: .9em; opacity: .85; }
pre { overflow-x: auto; background: #8881; padding: .8rem; }
"""


def write_all(study: Study, folder: str | Path, rerun: Sequence[str] = ()) -> None:
    """Write ``verdict.json``, ``design.json``, the tables and the report.

    Args:
        rerun: the command line that makes this study again.

    Raises:
        RecordError: they cannot be written.
    """
    write_summary(study, folder)
    _write(folder, "results.csv", results_csv(study.rows).encode("utf-8"))
    _write(folder, "results.parquet", results_parquet(study.rows))
    _write(folder, "effects.csv", effects_csv(study.effects.values()).encode("utf-8"))
    _write(folder, "report.html", html(study, folder, rerun).encode("utf-8"))


def html(study: Study, folder: str | Path, rerun: Sequence[str] = ()) -> str:
    """The report as one HTML page without scripts and without anything from elsewhere.

    Args:
        folder: where the study keeps its latents.
    """
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Zscope study: {escape(str(study.about['model']))}</title>",
        f"<style>{LOOK}</style></head><body>",
        "<h1>Does this model use what it imagines?</h1>",
        f"<p>{sections.heading(study)}</p>",
        *body(study, folder),
        sections.card(study),
        sections.problems(study),
        sections.method(study),
        sections.thresholds(study),
        sections.settings(study, rerun),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part)


def body(study: Study, folder: str | Path) -> list[str]:
    """The sections that a finished study shows everywhere, health first."""
    base = [pair.base for pair in study.pairs[study.design.arms[0].name].pairs]
    looks = looks_of(folder, base)
    ran = [row["item"] for row in base if row["imagined"]]
    latents = latents_of(folder, "latents", KEPT_LATENTS, ran)
    sites = latents_of(folder, "sites", KEPT_LATENTS, ran)
    layers = latents_of(folder, "layers", KEPT_LATENTS, ran)
    few = latents_of(folder, items=ran)
    return [
        sections.verdict(study),
        sections.health(study),
        sections.effects(study),
        sections.donors(study),
        sections.mediation(study),
        sections.words(relays_of(study.pairs, study.design)),
        sections.probed(
            probes(latents, sites, base, study.design),
            probe_map(layers, base, study.design, depths_of(int(study.about["layers"]) + 1)),
            study.design.level,
        ),
        sections.steps(looks, study),
        sections.layers(looks, study),
        sections.looking(looks, study),
        sections.published(findings(study, few, sites), study),
        geometry.section(few, study, latents_of(folder, "around", MOST_AROUND)),
        sections.tasks(study),
    ]


def _write(folder: str | Path, name: str, words: bytes) -> None:
    try:
        with replacing(Path(folder) / name) as file:
            file.write(words)
    except OSError as error:
        raise RecordError(
            f"{name} cannot be written to {folder} ({error.strerror or error}): see to that and "
            "run the study again; finished rows are kept."
        ) from error
