"""The large map: bank, runs, patches and words, coloured as asked, with arrows for an edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from gui.cloud import Point, answers_of
from gui.figures.look import INK, NOW, SHEET, SOFT, THEN, bare_axis, layout

ARROWS = 64
MANY = 3000  # points from which WebGL draws
# Paul Tol's bright and muted schemes: told apart with any kind of colour vision, on either paper.
COLOURS = (
    "#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377",
    "#DDAA77", "#44AA99", "#8877CC", "#999933",
)  # fmt: skip
STEPS = [[0, "#3f5fb0"], [0.5, "#3aa39a"], [1, "#e08a2b"]]
BY = ("step", "item", "task", "branch", "answer")
COLUMNS = ["span", "step from 0", "kind", "item", "task", "answer"]
Places = Sequence[tuple[float, float] | None]


@dataclass(frozen=True)
class Group:
    """Points of one role with their places; None for a point without one."""

    role: str
    points: Sequence[Point]
    places: Places


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
        by: what the bank is coloured by, one of :data:`BY`.
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
            data += _bank(group, by, many)
            data += _marks(group, set(marked))
        elif group.role in ("patch", "word"):
            data.append(_embeddings(group, extent))
    runs = [group for group in groups if group.role in ("branch", "before", "after")]
    order = {"branch": 0, "before": 1, "after": 2}
    for n, group in enumerate(sorted(runs, key=lambda g: order[g.role])):
        data.append(_run(group, by, n, chosen, extent))
    lines = [line for text in caption for line in wrap(text, 104)]
    below = 34 + 16 * len(lines)
    return {
        "data": data,
        "layout": layout(
            margin={"l": 26, "r": 10, "t": 44, "b": below},
            xaxis=bare_axis(axes[0], **_range([g.places for g in groups], 0)),
            yaxis=bare_axis(axes[1], scaleanchor="x", **_range([g.places for g in groups], 1)),
            annotations=[*_arrows(groups), *_words(lines)],
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


def sentence_figure(sentence: str) -> dict[str, Any]:
    """A figure that has nothing to draw and says why."""
    return {
        "data": [],
        "layout": layout(
            margin={"l": 20, "r": 20, "t": 20, "b": 20},
            xaxis={"visible": False},
            yaxis={"visible": False},
            annotations=[
                {
                    "text": "<br>".join(wrap(sentence, 60)), "showarrow": False, "xref": "paper",
                    "yref": "paper", "x": 0.5, "y": 0.5, "font": {"size": 15, "color": SOFT},
                }
            ],
            meta={"caption": ""},
        ),
    }  # fmt: skip


def _kept(group: Group) -> list[tuple[Point, tuple[float, float]]]:
    return [(p, at) for p, at in zip(group.points, group.places, strict=True) if at is not None]


def _short(value: float) -> float:
    # a thousand points are sent to a browser; nobody sees a seventh digit
    return float(f"{value:.6g}")


def _said(point: Point) -> list[Any]:
    return [point.span, point.step, point.kind, point.item, point.task, point.answer]


def _markers(
    name: str, kept: Sequence[tuple[Point, tuple[float, float]]], marker: dict[str, Any], many: bool
) -> dict[str, Any]:
    return {
        "type": "scattergl" if many else "scatter", "mode": "markers", "name": plain(name),
        "x": [_short(at[0]) for _, at in kept], "y": [_short(at[1]) for _, at in kept],
        "customdata": [_said(point) for point, _ in kept],
        "marker": {"size": 6, "opacity": 0.6, "line": {"width": 0}, **marker},
        "selected": {"marker": {"opacity": 0.9}}, "unselected": {"marker": {"opacity": 0.6}},
        "hovertemplate": _hover(name, kept), "text": [plain(p.name) for p, _ in kept],
    }  # fmt: skip


def _hover(name: str, kept: Sequence[tuple[Point, tuple[float, float]]]) -> str:
    known = any(point.answer for point, _ in kept)
    more = "<br>%{customdata[4]}, answered %{customdata[5]}" if known else ""
    return f"%{{text}}{more}<extra></extra>"


def _bank(group: Group, by: str, many: bool) -> list[dict[str, Any]]:
    """The bank's points: one trace with a scale by step, one a value otherwise."""
    kept = _kept(group)
    if not kept:
        return []
    if by == "branch":
        return [_markers("bank", kept, {"color": SOFT, "opacity": 0.3}, many)]
    if by == "step":
        steps = [point.step + 1 for point, _ in kept]
        last = max(steps)
        scale = {
            "color": steps, "colorscale": STEPS, "cmin": 1, "cmax": max(2, last),
            "showscale": True,
            "colorbar": {
                "orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom",
                "len": 0.34, "thickness": 9, "outlinewidth": 0, "tickvals": [1, max(2, last)],
                "ticktext": ["step 1", f"step {max(2, last)}"], "ticks": "",
                "tickfont": {"size": 12, "color": SOFT},
            },
        }  # fmt: skip
        return [{**_markers("bank", kept, scale, many), "showlegend": False}]
    names = _names(group.points, by)
    code = {name: n for n, name in enumerate(names)}
    parts: dict[str, list[tuple[Point, tuple[float, float]]]] = {}
    for point, at in kept:
        value = {"item": point.item, "task": point.task, "answer": point.answer}[by]
        parts.setdefault(value if value in code else "", []).append((point, at))
    out = []
    for name in ["", *names]:  # what has no colour of its own lies under what has
        if name not in parts:
            continue
        colour = COLOURS[code[name] % len(COLOURS)] if name in code else SOFT
        label = name or ("others" if names else "bank")
        marker = {"color": colour, **({} if name else {"opacity": 0.25})}
        one = _markers(label if by != "item" else "bank", parts[name], marker, many)
        one["showlegend"] = by != "item"
        if by == "item":  # an item's latents are tied together, or its colour would say nothing
            one |= {"mode": "lines+markers", "line": {"width": 0.8, "color": colour}}
            one["opacity"] = 0.7
        out.append(one)
    return out


def _names(points: Sequence[Point], by: str) -> list[str]:
    if by == "answer":
        return answers_of(points, len(COLOURS) - 2)
    if by == "task":
        return sorted({p.task for p in points if p.task})[: len(COLOURS)]
    return list(dict.fromkeys(p.item for p in points))[:40]


def _marks(group: Group, marked: set[tuple[str, int]]) -> list[dict[str, Any]]:
    """Rings around the selected latents of the bank."""
    kept = [(p, at) for p, at in _kept(group) if (p.item, p.step) in marked]
    if not kept:
        return []
    ring = {
        "color": "rgba(0,0,0,0)",
        "size": 11,
        "opacity": 1,
        "line": {"color": INK, "width": 1.6},
    }
    return [{**_markers("selected", kept, ring, False), "hoverinfo": "skip", "hovertemplate": None}]


def _embeddings(group: Group, extent: float) -> dict[str, Any]:
    """Patches as open squares, words as the words themselves where there is room for them."""
    kept = _kept(group)
    if group.role == "patch":
        return _markers(
            "image patches", kept,
            {"symbol": "square-open", "size": 8, "opacity": 0.8, "color": SOFT,
             "line": {"width": 1}},
            False,
        )  # fmt: skip
    named = _apart([at for _, at in kept], 1.6 * extent)
    one = _markers("words", kept, {"color": SOFT, "size": 3, "opacity": 0.8}, False)
    return one | {
        "mode": "markers+text", "textposition": "top center",
        "text": [plain(p.item) if n in named else "" for n, (p, _) in enumerate(kept)],
        "hovertext": [plain(p.item) for p, _ in kept],
        "textfont": {"size": 11, "color": SOFT}, "hovertemplate": "%{hovertext}<extra></extra>",
    }  # fmt: skip


def _run(
    group: Group, by: str, n: int, chosen: tuple[int, Sequence[int]], extent: float
) -> dict[str, Any]:
    """A trajectory over the steps; places that are missing leave a gap."""
    colour = {"before": THEN, "after": NOW}.get(group.role, SOFT)
    if by == "branch" and group.role == "branch":
        colour = COLOURS[n % len(COLOURS)]
    large = group.role != "branch"
    name = group.points[0].item if group.points else group.role
    span, steps = chosen
    ring = [INK if p.span == span and p.step in steps else SHEET for p in group.points]
    named = _apart(group.places, extent) if large else set()
    text = [str(p.step + 1) if n in named else "" for n, p in enumerate(group.points)]
    sizes = [19 if n in named else 11 if large else 8 for n in range(len(text))]
    return {
        "type": "scatter", "mode": "lines+markers+text" if large else "lines+markers",
        "name": plain(name), "meta": "run",
        "x": [at[0] if at else None for at in group.places],
        "y": [at[1] if at else None for at in group.places],
        "text": text, "textposition": "middle center",
        "textfont": {"color": SHEET, "size": 11},
        "hovertext": [f"{plain(name)}, z{p.step + 1}" for p in group.points],
        "customdata": [_said(p) for p in group.points],
        "line": {"color": colour, "width": 2 if large else 1, "shape": "linear"},
        "connectgaps": False, "opacity": 1 if large else 0.7,
        "selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}},
        "marker": {"color": colour, "size": sizes,
                   "line": {"color": ring, "width": [2.6 if c == INK else 1 for c in ring]}},
        "hovertemplate": "%{hovertext}<extra></extra>",
    }  # fmt: skip


def _apart(places: Places, extent: float) -> set[int]:
    """Points far enough from each other for a number inside each; the first comes first."""
    kept: list[int] = []
    for n, at in enumerate(places):
        if at is None:
            continue
        far = (
            abs(at[0] - other[0]) + abs(at[1] - other[1]) > 0.06 * extent
            for other in (places[k] for k in kept)
            if other is not None
        )
        if all(far):
            kept.append(n)
    return set(kept)


def plain(text: str) -> str:
    """Somebody's text in a figure: no markup and no fields of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("%", "&#37;")


def _arrows(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """From every latent before to the one after it."""
    before = next((g for g in groups if g.role == "before"), None)
    after = next((g for g in groups if g.role == "after"), None)
    if before is None or after is None:
        return []
    pairs = [
        (p, q) for p, q in zip(before.places, after.places, strict=False) if p and q and p != q
    ]
    return [
        {
            "x": q[0], "y": q[1], "ax": p[0], "ay": p[1], "xref": "x", "yref": "y", "axref": "x",
            "ayref": "y", "text": "", "showarrow": True, "arrowhead": 2, "arrowsize": 1,
            "arrowwidth": 1.4, "arrowcolor": SOFT, "standoff": 11, "startstandoff": 10,
        }
        for p, q in pairs[:ARROWS]
    ]  # fmt: skip


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
