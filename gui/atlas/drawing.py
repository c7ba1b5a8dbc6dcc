"""A visitor's map as it is drawn: the figure, the lines under it, and the neighbours beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gui.components.nearest import nearest_html
from gui.figures.cloud import cloud_figure
from gui.figures.points import Group
from gui.mapping import places
from gui.nearby import neighbourhoods, of_bank, taken

if TYPE_CHECKING:
    from core.measures.projection import Projection
    from gui.atlas.view import Seen, View
    from gui.cloud import Cloud
    from gui.visits import Visit


def map_figure(visit: Visit, view: View) -> dict[str, Any]:
    """The map that is finished, in the colours that are chosen."""
    first = view.parts[0]
    axes = ("", "")
    if first.shares is not None:
        axes = (f"PC 1, {first.shares[0]:.0%} of the variance", f"PC 2, {first.shares[1]:.0%}")
    groups = [
        Group(role, points, at)
        for role, points, at in zip(
            view.cloud.roles, view.cloud.groups, places(view.cloud, view.parts), strict=True
        )
    ]
    shown = (visit.span, visit.steps)
    named = f"{first.method}{view.placed}{hash(view.cloud.key)}"
    lines = caption_of(view.cloud, view.parts, visit.edited is not None)
    return cloud_figure(groups, view.by, lines, axes, named, shown, view.marked)


def caption_of(cloud: Cloud, parts: list[Projection], edited: bool) -> list[str]:
    """How a map was made and how far to believe it, line by line."""
    first, last = parts[0], parts[-1]
    made = [first.caption if len(parts) == 1 else f"{first.caption}; {last.fit}"]
    if edited and len(parts) == 1:
        made.append("Arrows lead from before to after; both lie in this one fit.")
    elif edited:
        made.append("Arrows lead from before to after; both were placed by the frozen fit.")
    quality = first.quality
    if quality.trustworthiness == quality.trustworthiness:
        made.append(
            f"Trustworthiness {quality.trustworthiness:.2f}, neighbours kept "
            f"{quality.overlap:.2f} (k = {quality.k}"
            + (f", {quality.asked:,} points asked)." if quality.asked < quality.points else ").")
        )
    else:
        made.append("Too few points for trustworthiness.")
    notes = " ".join(note for note in (*cloud.notes, *(part.note for part in parts)) if note)
    return [
        ". ".join(made[:1]) + ".",
        " ".join(made[1:]),
        cloud.source,
        *([notes] if notes else []),
    ]


def neighbours_html(seen: Seen) -> str:
    """The neighbours, in the space itself, of the selected latent of the bank or of the run."""
    visit, workshop, view = seen
    cloud, at = view.cloud, places(view.cloud, view.parts)
    known = {(p.item, p.step): p for p in cloud.groups[0]}
    marked = [known[m] for m in view.marked if m in known]
    if len(marked) == 1:
        return nearest_html(of_bank(cloud, at, marked[0].item, marked[0].step))
    bank = getattr(workshop.engine, "bank", None)
    step = visit.steps[-1] if visit.steps else 0
    blocks = neighbourhoods(cloud, at, step, bank) if cloud.groups[0] else []
    said = f'<p class="soft">{taken(marked)}</p>' if marked else ""
    none = "The neighbours of a latent in the space itself stand here; there are none yet."
    return said + nearest_html(blocks, none)
