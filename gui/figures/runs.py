"""What lies on the large map beside the bank: runs with their arrows, image patches, words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gui.figures.look import INK, NOW, SHEET, SOFT, THEN, plain
from gui.figures.points import COLOURS, Group, apart, kept_of, markers, said_of

ARROWS = 64


def run_trace(
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
    named = apart(group.places, extent) if large else set()
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
        "customdata": [said_of(p) for p in group.points],
        "line": {"color": colour, "width": 2 if large else 1, "shape": "linear"},
        "connectgaps": False, "opacity": 1 if large else 0.7,
        "selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}},
        "marker": {"color": colour, "size": sizes,
                   "line": {"color": ring, "width": [2.6 if c == INK else 1 for c in ring]}},
        "hovertemplate": "%{hovertext}<extra></extra>",
    }  # fmt: skip


def arrows(groups: Sequence[Group]) -> list[dict[str, Any]]:
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


def embeddings(group: Group, extent: float) -> dict[str, Any]:
    """Patches as open squares, words as the words themselves where there is room for them."""
    kept = kept_of(group)
    if group.role == "patch":
        return markers(
            "image patches", kept,
            {"symbol": "square-open", "size": 8, "opacity": 0.8, "color": SOFT,
             "line": {"width": 1}},
            False,
        )  # fmt: skip
    named = apart([at for _, at in kept], 1.6 * extent)
    one = markers("words", kept, {"color": SOFT, "size": 3, "opacity": 0.8}, False)
    return one | {
        "mode": "markers+text", "textposition": "top center",
        "text": [plain(p.item) if n in named else "" for n, (p, _) in enumerate(kept)],
        "hovertext": [plain(p.item) for p, _ in kept],
        "textfont": {"size": 11, "color": SOFT}, "hovertemplate": "%{hovertext}<extra></extra>",
    }  # fmt: skip
