"""What an edit's mode means for everything behind it, as a small drawing with a sentence."""

from __future__ import annotations

from html import escape

from gui.wording import MODES

SHORT = {
    "propagate": "recomputed (propagate)",
    "pinned": "inputs held (pinned)",
    "cached": "all held (cached)",
}
LATENTS, EDITED = 5, 1  # of the drawing


def mode_html(mode: str) -> str:
    """The drawing: latents left to right, the second is edited, then the answer.

    A full blue mark is kept as it was, a full orange one is changed; a later latent that is
    fed its old vector but computes anew is blue with an orange rim.
    """
    marks = []
    for k in range(LATENTS):
        if k < EDITED or (k > EDITED and mode == "cached"):
            look = "kept"
        elif k == EDITED or mode == "propagate":
            look = "changed"
        else:
            look = "pinned"
        size = 7 if k == EDITED else 5.5
        marks.append(f'<circle cx="{9 + 20 * k}" cy="9" r="{size}" class="{look}"/>')
    right = 9 + 20 * LATENTS
    marks.append(f'<rect x="{right - 7}" y="3" width="26" height="12" rx="3" class="changed"/>')
    marks.append(f'<text x="{right + 6}" y="12.5">Y</text>')
    said = escape(MODES.get(mode or "", ""))  # a choice can be taken back
    return (
        f'<p class="mode"><svg viewBox="0 0 {right + 22} 18" width="{right + 22}" height="18" '
        f'aria-hidden="true">{"".join(marks)}</svg><span>{said}</span></p>'
    )
