"""A graph over steps: nodes in a row, the edges worth drawing as arcs over them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.study.figures import BLUE, GREY, opened, text

APART, BASE, SIZE = 74, 178, 15


def arcs(
    nodes: Sequence[str], edges: Sequence[tuple[int, int, float]], title: str, unit: str
) -> str:
    """Arcs from node to node, wider for a larger weight, with the weight above.

    Args:
        nodes: names, from left to right.
        edges: (from, to, weight), places in ``nodes``; all lead to the right.
        unit: of the weights.
    """
    if not edges or not nodes:
        return ""
    most = max(weight for _, _, weight in edges)
    wide = APART * len(nodes) + 60
    parts = [opened(max(wide, 460), BASE + 60, title)]
    for start, stop, weight in sorted(edges, key=lambda edge: edge[1] - edge[0], reverse=True):
        a, b = (40 + APART * place for place in (start, stop))
        top = BASE - SIZE - min(100.0, 26.0 * (stop - start) ** 0.75)
        parts += [
            f'<path d="M {a} {BASE - SIZE} Q {(a + b) / 2:.0f} {2 * top - BASE + SIZE:.0f} '
            f'{b} {BASE - SIZE}" fill="none" stroke="{BLUE}" '
            f'stroke-width="{1 + 4 * weight / most:.1f}" stroke-opacity="0.8">'
            f"<title>{escape(nodes[start])} → {escape(nodes[stop])}: {weight:.3g} "
            f"{escape(unit)}</title></path>",
            f'<path d="M {b - 5} {BASE - SIZE - 9} L {b} {BASE - SIZE} L {b + 5} '
            f'{BASE - SIZE - 9}" fill="none" stroke="{BLUE}" stroke-width="1.5"/>',
            # neighbours' arcs are as high as one another: every other weight stands higher
            text((a + b) / 2, top - 4 - 13 * (start % 2), f"{weight:.2g}", "middle"),
        ]
    for place, name in enumerate(nodes):
        x = 40 + APART * place
        parts += [
            f'<circle cx="{x}" cy="{BASE}" r="{SIZE}" fill="none" stroke="{GREY}"/>',
            text(x, BASE + 4, name[:6], "middle"),
        ]
    return "".join([*parts, text(25, BASE + 46, f"weights: {unit}", fill=GREY), "</svg>"])
