"""A run to look at and not to handle: strip, answers and receipt of one visit, as HTML."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from gui.components.answers import answers_html
from gui.components.picture import picture_html
from gui.components.strip import slots, strip_html
from gui.pointing import trail_of
from gui.screen import edit_mark

if TYPE_CHECKING:
    from gui.visits import Visit
    from gui.workshop import Workshop

HANDLES = re.compile(r' (?:aria-pressed|tabindex)="[^"]*"')


def still_strip(visit: Visit, workshop: Workshop) -> str:
    """The strip with cells that are no buttons."""
    base, edited = visit.baseline, visit.edited
    shown = edited or base
    if shown is None:
        return ""
    titles = workshop.titles
    places = slots(
        shown, base if edited is not None else None, lambda edit: edit_mark(edit, titles)
    )
    made = strip_html("", (0, 0), places)
    made = made.replace('<button type="button" class="cell', '<span role="img" class="cell')
    return HANDLES.sub("", made.replace("</button>", "</span>"))


def still_answers(visit: Visit, workshop: Workshop) -> str:
    """Both answers, the option bars and the receipt."""
    branch = visit.branches.get(visit.shown or "")
    name = branch.title if branch is not None and visit.shown != visit.base else "Edited"
    return answers_html(
        visit.baseline,
        visit.edited,
        workshop.titles,
        ("Baseline", name),
        (visit.scores.get(visit.base or "", {}), visit.scores.get(visit.shown or "", {})),
    )


def still_picture(visit: Visit) -> str:
    """The picture with the trail of the shown run's nearest patches."""
    shown = visit.edited or visit.baseline
    size = visit.image.size if visit.image is not None else (1, 1)
    if shown is None or not shown.spans:
        return _bare(picture_html(visit.uri, size))
    way = trail_of(visit, shown, 0)
    return _bare(picture_html(visit.uri, size, shown.prompt.grid, way))


def question_html(visit: Visit) -> str:
    """The question under the picture."""
    return f'<p class="asked">{escape(visit.asked)}</p>' if visit.asked else ""


def _bare(html: str) -> str:
    """Without the button that changes the picture."""
    return html[: html.index("</figure>") + len("</figure>")]
