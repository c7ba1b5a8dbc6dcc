"""The strip: the whole sequence as it was fed, words as chips and latents as cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gui.comparison import is_special
from gui.components.barcode import barcode_svg, bars
from gui.steps import format_steps

if TYPE_CHECKING:
    from core.records import Edit, Trace

SCRIPT = (Path(__file__).parent / "strip.js").read_text(encoding="utf-8")
SAID = 6  # letters of a word beside its probability in a cell
WIDE = 10  # letters of a token that fit a cell
NARROWEST = 6  # where there is room for one end alone
ALMOST = 0.005  # a probability that would be written as 0 %
CHANGED = 1e-6  # relative change above which a latent counts as another one


@dataclass(frozen=True)
class Slot:
    """One place of the strip.

    Attributes:
        place: index into ``Trace.token_ids``.
        kind: ``"word"``, ``"marker"``, ``"imagined"`` (a word of an imagined sentence) or
            ``"latent"``.
        text: the token as text.
        span, step: of a latent.
        norm: ‖z‖ of a latent.
        cosine: to the step before; None at a span's first, NaN where one of the two has no length
            and so no direction.
        says: the likeliest word the output layer reads in it, markers left out, and its
            probability; ("", 0.0) where that is not known, as of a latent without length.
        bars: the latent's bar code; ``base_bars`` the baseline's at the same step.
        change: ‖z′−z‖/‖z‖ against the baseline's latent; None without one.
        mark: what was done here, in words; "" when this very step was not edited.
        pending: it waits to be fed.
    """

    place: int
    kind: str
    text: str = ""
    span: int = 0
    step: int = 0
    norm: float = 0.0
    cosine: float | None = None
    says: tuple[str, float] = ("", 0.0)
    bars: list[float] = field(default_factory=list)
    base_bars: list[float] | None = None
    change: float | None = None
    mark: str = ""
    pending: bool = False


def slots(
    trace: Trace,
    base: Trace | None = None,
    title: Callable[[Edit], str] | None = None,
    says: Mapping[tuple[int, int], tuple[Any, ...]] | None = None,
) -> list[Slot]:
    """The places of a run, compared with ``base`` where it has the same step.

    Args:
        trace: what is shown.
        base: the run it is compared with; None shows ``trace`` alone.
        title: names an edit for the mark on an edited cell.
        says: (span, step) → what the output layer reads in that latent, where it is known.
    """
    tables = [span.latents.numpy() for span in trace.spans]
    olds = [span.latents.numpy() for span in base.spans] if base is not None else []
    out: list[Slot] = []
    where = {s.start + k: (n, k) for n, s in enumerate(trace.spans) for k in range(len(s))}
    scale = typical_norm(olds or tables)
    imagined = range(*trace.imagined) if trace.imagined else range(0)
    for place, piece in enumerate(trace.pieces):
        if place in where:
            n, k = where[place]
            old = olds[n][k] if n < len(olds) and k < len(olds[n]) else None
            marks = [
                title(e) if title else e.kind
                for e in trace.edits
                if e.span == n and (e.steps is None or k in e.steps)
            ]
            slot = latent_slot(place, n, k, tables[n], scale, old, " + ".join(marks))
            word, p = (says or {}).get((n, k), ("", 0.0))
            out.append(replace(slot, says=(str(word), float(p))))
        else:
            kind = "marker" if is_special(piece) else "word"
            out.append(Slot(place, "imagined" if place in imagined else kind, piece))
    return out


def latent_slot(
    place: int, span: int, step: int, table: Any, scale: float, old: Any = None, mark: str = ""
) -> Slot:
    """The cell of one latent.

    Args:
        table: (K, D) numbers, at least ``step`` + 1 rows.
        scale: length that fills the bar code's range.
        old: (D,) the baseline's latent here, or None.
    """
    import numpy as np

    z = table[step]
    norm = float(np.linalg.norm(z))
    cosine = change = None
    if step > 0:
        before = table[step - 1]
        length = norm * float(np.linalg.norm(before))
        cosine = float(z @ before) / length if length > 0 else nan
    if old is not None:
        change = float(np.linalg.norm(z - old)) / max(float(np.linalg.norm(old)), 1e-9)
    old_bars = bars(old, scale) if old is not None else None
    return Slot(
        place, "latent", "", span, step, norm, cosine,
        bars=bars(z, scale), base_bars=old_bars, change=change, mark=mark,
    )  # fmt: skip


def typical_norm(tables: Sequence[Any]) -> float:
    """Median norm over all latents of a run; 1 when there are none."""
    import numpy as np

    norms = [np.linalg.norm(table, axis=1) for table in tables if len(table)]
    middle = float(np.median(np.concatenate(norms))) if norms else 0.0
    return middle if middle > 0 else 1.0


def strip_html(
    question: str,
    grid: tuple[int, int],
    places: Sequence[Slot],
    selected: tuple[int, Sequence[int]] = (0, ()),
    going: bool = False,
    remedy: str = "",
    pending: tuple[str, dict[str, str], str] | None = None,
    seen: Mapping[str, str] | None = None,
) -> str:
    """The strip as HTML.

    Args:
        question: shown as the prompt's last chip.
        grid: rows and columns of image patches, (0, 0) without a picture.
        places: what the model fed, in order.
        selected: span and its selected steps; the script keeps them up to date.
        going: whether the run is still decoding.
        remedy: sentence for a run without latents, with the button that forces a span.
        pending: name of the latent that waits, what can be fed instead, and what is chosen.
        seen: what the page hands back with every act (:mod:`gui.aim`).
    """
    parts: list[str] = []
    if grid[0]:
        label = f"the picture, {grid[0]} by {grid[1]} patches"
        parts.append(
            f'<span class="chip picture-chip" title="{label}">picture <small>{grid[0]}×{grid[1]}'
            "</small></span>"
        )
    if question:
        parts.append(f'<span class="chip question-chip">{escape(question)}</span>')
    for latent, group in groupby(places, key=lambda slot: slot.kind == "latent"):
        cells = [_cell(slot, selected) if latent else _chip(slot) for slot in group]
        parts += [f'<div class="span">{"".join(cells)}</div>'] if latent else cells
    if going:
        parts.append('<span class="chip going" aria-label="decoding">…</span>')
    body = "".join(parts)
    note = ""
    if remedy:
        note = (
            f'<p class="remedy">{escape(remedy)} '
            '<button type="button" data-act="force">Force a span</button></p>'
        )
    if pending:
        note = _pending(*pending)
    if not places and not going and not remedy:
        body += '<span class="chip waiting">Press Run to see what the model imagines.</span>'
    chosen = ",".join(str(s) for s in selected[1])
    told = "".join(f' data-{k}="{escape(v, quote=True)}"' for k, v in (seen or {}).items())
    return (
        f'<div class="strip" role="group" aria-label="The sequence as it was fed" '
        f'data-span="{selected[0]}" data-chosen="{chosen}"{told}>{body}</div>{note}'
    )


def _pending(name: str, choices: dict[str, str], chosen: str) -> str:
    """The choice of what is fed in place of the waiting latent."""
    buttons = "".join(
        f'<button type="button" data-act="instead" data-name="{key}" '
        f'aria-pressed="{"true" if key == chosen else "false"}">{escape(words)}</button>'
        for key, words in choices.items()
    )
    return (
        f'<div class="pending" role="group" aria-label="What is fed as {name}">'
        f"<span>Feed {name}</span>{buttons}"
        f'<button type="button" class="on" data-act="step">Step</button>'
        "<small>or an edit from below, or a place of the picture</small></div>"
    )


def _chip(slot: Slot) -> str:
    shown = slot.text.replace("\n", "⏎")
    shown = shown.strip(" ") or "␣"  # chips have gaps between them; the title keeps the space
    whole = escape(repr(slot.text), quote=True)
    kind = slot.kind if slot.text.strip() else f"{slot.kind} gap"
    return (
        f'<span class="chip {kind}" data-place="{slot.place}" title="{whole}">'
        f"{escape(shown)}</span>"
    )


def _cell(slot: Slot, selected: tuple[int, Sequence[int]]) -> str:
    name = f"z{slot.step + 1}"
    on = slot.span == selected[0] and slot.step in selected[1]
    changed = slot.change is not None and slot.change > CHANGED
    said = [f"latent {name}", f"norm {slot.norm:.1f}"]
    if slot.norm == 0:
        said.append("no length, so no direction")
    elif slot.cosine is not None:
        known = "undefined" if isnan(slot.cosine) else f"{slot.cosine:.2f}"
        said.append(f"cosine to the step before {known}")
    if slot.says[0]:
        said.append(f"logit lens {slot.says[0]!r} {share(slot.says[1])}, markers left out")
    if slot.change is not None:
        said.append(f"changed by {slot.change:.2f} of its length" if changed else "unchanged")
    if slot.mark:
        said.append(f"edited: {slot.mark}")
    rows, names = [slot.bars], ["now"]
    if slot.base_bars is not None:
        rows, names = [slot.base_bars, slot.bars], ["then", "now" if not changed else "now moved"]
    state = " edited" if slot.mark else " moved" if changed else ""
    state += " waits" if slot.pending else ""
    mark = f'<span class="mark">{escape(slot.mark)}</span>' if slot.mark else ""
    moved = f'<span class="moved-by">Δ{slot.change:.2f}</span>' if changed else ""
    cosine = "" if slot.cosine is None else "∠ –" if isnan(slot.cosine) else f"∠{slot.cosine:.2f}"
    says = ""
    if slot.says[0]:
        token = escape(brief(slot.says[0], SAID))
        says = f'<code class="says">{token} <i>{escape(share(slot.says[1]))}</i></code>'
    label = escape(", ".join(said), quote=True)
    return (
        f'<button type="button" class="cell{state}" data-span="{slot.span}" '
        f'data-step="{slot.step}" aria-pressed="{"true" if on else "false"}" '
        f'tabindex="{"0" if on or (not selected[1] and slot.step == 0) else "-1"}" '
        f'aria-label="{label}" title="{label}">'
        f'<span class="top"><span class="name">{name}</span>{moved}</span>'
        f"{barcode_svg(rows, names)}{mark}{says}"
        f'<span class="facts"><span>‖{slot.norm:.1f}‖</span><span>{cosine}</span></span></button>'
    )


def share(value: float) -> str:
    """A probability in per cent; what rounds to nothing is said to be small."""
    return "<1 %" if 0 < value < ALMOST else f"{value:.0%}".replace("%", " %")


def brief(token: str, width: int = WIDE) -> str:
    """A token in the width of a cell, by both its ends; markers, which begin alike, by their end.

    Args:
        width: letters there is room for, at least 4.
    """
    bare = token.strip("<|>") if is_special(token) else token.strip()
    bare = (bare or token).replace("\n", "⏎").replace("\t", "⇥")
    if not bare.strip():
        return "␣"
    if len(bare) <= width:
        return bare
    ahead = (width - 1) // 2 if width > NARROWEST else 0
    return f"{bare[:ahead]}…{bare[ahead + 1 - width :]}"


def selection_title(steps: Sequence[int]) -> str:
    """“z2–3” for a heading."""
    return f"z{format_steps(steps)}" if steps else ""
