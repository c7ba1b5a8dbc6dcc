"""The large map: bank, runs, patches and words, coloured as asked, with arrows for an edit."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from gui.figures.bank import bank_traces, rings
from gui.figures.look import INK, SOFT, bare_axis, layout
from gui.figures.points import COLUMNS, Group, Places
from gui.figures.runs import arrows, embeddings, run_trace

MANY = 3000  # points from which WebGL draws


def cloud_figure(
    groups: Sequence[Group],
    by: str = "step",
    caption: Sequence[str] = (),
    axes: tuple[str, str] = ("", ""),
    view: str = "",
    chosen: tuple[int, Sequence[int]] = (0, ()),
    marked: Sequence[tuple[str, int]] = (),
    status: str = "",
) -> dict[str, Any]:
    """The map of a cloud.

    Args:
        groups: the bank's first, then one a run, patches and words.
        by: what the bank is coloured by, one of :data:`gui.figures.bank.BY`.
        caption: how the map was made and how far to believe it, to stand under it.
        axes: names of the two axes.
        view: names the layout; zoom stays while it is the same.
        chosen: span and steps of the run's selected latents, which get a ring.
        marked: (item, step) of the bank's selected latents.
        status: stands beside the heading.
    """
    data: list[dict[str, Any]] = []
    extent = max(_extent([g.places for g in groups], axis) for axis in (0, 1))
    many = sum(len(group.points) for group in groups) > MANY
    for group in groups:
        if group.role == "bank":
            data += bank_traces(group, by, many)
            data += rings(group, set(marked))
        elif group.role in ("patch", "word"):
            data.append(embeddings(group, extent))
    runs = [group for group in groups if group.role in ("branch", "before", "after")]
    order = {"branch": 0, "before": 1, "after": 2}
    for n, group in enumerate(sorted(runs, key=lambda g: order[g.role])):
        data.append(run_trace(group, by, n, chosen, extent))
    lines = [line for text in caption for line in wrap(text, 104)]
    below = 34 + 16 * len(lines)
    return {
        "data": data,
        "layout": layout(
            margin={"l": 26, "r": 10, "t": 44, "b": below},
            xaxis=bare_axis(axes[0], **_range([g.places for g in groups], 0)),
            yaxis=bare_axis(axes[1], scaleanchor="x", **_range([g.places for g in groups], 1)),
            annotations=[*arrows(groups), *_words(lines)],
            showlegend=True,
            legend={
                "orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "itemsizing": "constant",
                "font": {"size": 13, "color": INK}, "bgcolor": "rgba(0,0,0,0)", "tracegroupgap": 4,
            },
            meta={"caption": status, "marks": True, "view": view, "columns": COLUMNS},
            selectionrevision=f"{chosen}{len(marked)}",
            uirevision=view,
        ),
    }  # fmt: skip


def _range(places: Sequence[Places], axis: int) -> dict[str, Any]:
    """A range with room at the edges; plotly finds none where all points are one."""
    values = [at[axis] for group in places for at in group if at is not None]
    if not values:
        return {"range": [-1, 1]}
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 1.0
    return {"range": [low - room, high + room]}


def _extent(places: Sequence[Places], axis: int) -> float:
    low, high = _range(places, axis)["range"]
    return float(high - low)


def _words(lines: Sequence[str]) -> list[dict[str, Any]]:
    if not lines:
        return []
    return [
        {
            "text": "<br>".join(lines), "xref": "paper", "yref": "paper", "x": 0, "y": 0,
            "xanchor": "left", "yanchor": "top", "yshift": -22, "align": "left",
            "showarrow": False, "font": {"size": 12, "color": SOFT},
        }
    ]  # fmt: skip
