"""The shown run's latents as a row of cells, linked with the Studio's strip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from gui.components.strip import slots, strip_html

if TYPE_CHECKING:
    from core.records import Edit, Trace

SCRIPT = (Path(__file__).parent / "steps.js").read_text(encoding="utf-8")


def steps_html(
    shown: Trace | None,
    base: Trace | None,
    span: int,
    steps: Sequence[int],
    title: Callable[[Edit], str],
    sentence: str,
) -> str:
    """The latents of one span.

    Args:
        shown: the run; None for none.
        base: what it is compared with, None for nothing.
        span, steps: what is selected.
        title: names an edit for the mark on a cell.
        sentence: what stands there when the run has no latents.
    """
    if shown is None or span >= len(shown.spans) or not len(shown.spans[span].latents):
        return f'<p class="soft">{escape(sentence)}</p>'
    cells = [
        slot for slot in slots(shown, base, title) if slot.kind == "latent" and slot.span == span
    ]
    return strip_html("", (0, 0), cells, (span, tuple(steps)))
