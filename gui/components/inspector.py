"""The selected latent, read: what it says, what it is like, who reads it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from gui.comparison import is_special
from gui.components.strip import brief, share
from gui.wording import OFF_MANIFOLD

if TYPE_CHECKING:
    from gui.reading import Reading

MARKER, NARROW = 11, 6  # letters of a marker in a list, and of any token in a narrow column


def inspector_html(reading: Reading | None, step: int = 0, uri: str = "", lead: str = "") -> str:
    """The inspector's side of the page.

    Args:
        reading: of the selected latent; None when none is selected.
        step: its number, from 0.
        uri: the picture's ``data:`` address, from which the nearest patches are cut.
        lead: words before the latent's name.
    """
    if reading is None:
        return (
            '<h3>Inspector</h3><p class="quiet">Select a latent in the strip to see what it says, '
            "where it looks and what it is like.</p>"
            '<p class="quiet">In each cell: its bar code; the likeliest word read in it by the '
            "logit lens, markers such as the model's own left out; its length ‖z‖; its cosine ∠ to "
            "the step before.</p>"
        )
    name = f"z{step + 1}"
    parts = [
        _facts(reading, name),
        _block("Says (logit lens, as fed)", _bars(reading.says, "p")),
        _block("Nearest words", _bars(reading.near, "cosine")),
        _block("Layer by layer (logit lens)", _layers(reading.layers)),
        _block("Nearest patches", _patches(reading, uri)),
        _block("Nearest in the bank", _bank(reading.bank)),
        _block("Read by the answer", _read(reading.read, step)),
    ]
    if reading.problem:
        parts.append(f'<p class="quiet">{escape(reading.problem)}</p>')
    return f"<h3>{escape(lead)}Latent {name}</h3><div class='reading'>{''.join(parts)}</div>"


def _block(title: str, body: str) -> str:
    return f"<section><h4>{escape(title)}</h4>{body}</section>" if body else ""


def _facts(reading: Reading, name: str) -> str:
    """Length and distance from normal, in one line of numbers."""
    said = [("norm", f"{reading.norm:.2f}")]
    if reading.norm_share is not None:
        said.append(("longer than", f"{reading.norm_share:.0f} % of clean {name}"))
    if reading.percentile is not None:
        off = ", off the manifold" if reading.percentile > OFF_MANIFOLD else ""
        said.append(("farther from their mean than", f"{reading.percentile:.0f} %{off}"))
    if reading.cosine is not None:
        said.append(("cosine to the step before", f"{reading.cosine:.2f}"))
    if reading.norm == 0:
        said.append(("no length, so no direction:", "nothing is near it, it says no word"))
    if reading.change is not None:
        said.append(("change ‖z′−z‖/‖z‖", f"{reading.change:.2f}"))
    body = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in said)
    return f'<dl class="facts">{body}</dl>'


def word(text: str) -> str:
    """A token as it can be shown: blanks made visible, escaped."""
    shown = text.replace("\n", "⏎").replace("\t", "⇥").replace("\ufffd", "⟨byte⟩")
    if not shown.isprintable():
        shown = repr(shown)[1:-1]
    if not shown:
        return "∅"
    return escape(shown.replace(" ", "␣", 1) if shown.strip() != shown else shown)


def _bars(rows: Sequence[Any], unit: str) -> str:
    if not rows:
        return ""
    lines = []
    for text, value in rows:
        token, short = word(text), word(brief(text, MARKER) if is_special(text) else text)
        said = share(value) if unit == "p" else f"{value:.2f}"
        width = 100 * min(max(value, 0.0), 1.0)
        lines.append(
            f'<li title="{token}"><code>{short}</code><i><b style="width:{width:.1f}%"></b></i>'
            f"<span>{said}</span></li>"
        )
    return f'<ul class="bars">{"".join(lines)}</ul>'


def _layers(layers: Sequence[Sequence[Any]]) -> str:
    if not layers:
        return ""
    lines = []
    for number, row in enumerate(layers):
        none = "" if row else '<td class="quiet" colspan="3">nothing</td>'
        cells = none + "".join(
            f'<td style="--p:{min(max(p, 0.0), 1.0):.2f}" title="{word(text)} {share(p)}">'
            f"<code>{word(brief(text, NARROW))}</code></td>"
            for text, p in row
        )
        label = "fed" if number == 0 else str(number)
        lines.append(f'<tr><th scope="row">{label}</th>{cells}</tr>')
    return (
        '<div class="layers" tabindex="0" role="group" aria-label="Words read at each layer">'
        f"<table>{''.join(lines)}</table></div>"
    )


def _patches(reading: Reading, uri: str) -> str:
    rows, columns = reading.grid
    if not reading.patches or not uri or not rows or not columns:
        return ""
    crops = []
    for row, column, value in reading.patches:
        across = 100 * (column - 1) / max(columns - 1, 1)
        down = 100 * (row - 1) / max(rows - 1, 1)
        label = f"row {row}, column {column}, cosine {value:.2f}"
        crops.append(
            f'<figure class="crop" role="img" aria-label="{label}" title="{label}">'
            f'<i style="background-position:{across:.2f}% {down:.2f}%;'
            f'background-size:{100 * columns}% {100 * rows}%"></i>'
            f"<figcaption>{value:.2f}</figcaption></figure>"
        )
    picture = escape(uri, quote=True)
    return f'<div class="crops" style="--picture:url(&quot;{picture}&quot;)">{"".join(crops)}</div>'


def _bank(rows: Sequence[Any]) -> str:
    lines = "".join(
        f"<li>z{step} of {escape(item)} <span>{value:.2f}</span></li>" for item, step, value in rows
    )
    return f'<ul class="near">{lines}</ul>' if rows else ""


def _read(values: Sequence[float], step: int) -> str:
    if not values:
        return ""
    most = max(values) or 1.0
    bars = "".join(
        f'<i class="{"on" if k == step else ""}" style="height:{100 * v / most:.0f}%" '
        f'title="z{k + 1}: {v:.1%} of its attention"></i>'
        for k, v in enumerate(values)
    )
    said = "; ".join(f"z{k + 1} {v:.1%}" for k, v in enumerate(values))
    return (
        f'<div class="read" role="img" aria-label="{said}">{bars}</div>'
        f'<p class="plain">{sum(values):.1%} of its attention in all, mean over layers, heads and '
        "the words it says.</p>"
    )
