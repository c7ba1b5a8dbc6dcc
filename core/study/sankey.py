"""How answers moved, as flows from what they were to what they became: a small panel an arm.

In the manner of :mod:`core.study.figures`: no library, every number as text or title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from core.study.figures import BLUE, GREEN, GREY, ORANGE, RED, opened, text

FLOWS = {"R→R": BLUE, "R→W": RED, "W→R": GREEN, "W→W": GREY, "W→W′": ORANGE}
ACROSS, WIDE, HIGH, NODE = 4, 240, 158, 10
LEFT, RIGHT, TALL, APART = 50, 168, 76, 12
"""Where a panel's nodes stand, how tall all items are, and the gap between right and wrong."""


def sankey(rows: Sequence[tuple[str, Mapping[str, int]]], title: str) -> str:
    """Right and wrong before, right and wrong after, joined by bands as wide as items moved.

    Args:
        rows: (arm, flow → items), flows named as in :data:`FLOWS`; W′ is another wrong answer.
    """
    shown = [(name, counts) for name, counts in rows if sum(counts.values())]
    if not shown:
        return ""
    down = -(-len(shown) // ACROSS)
    parts = [opened(WIDE * min(ACROSS, max(3, len(shown))) + 10, 66 + HIGH * down, title)]
    for place, (name, counts) in enumerate(shown):
        x, y = 10 + WIDE * (place % ACROSS), 30 + HIGH * (place // ACROSS)
        parts.append(f'<g transform="translate({x} {y})">{_panel(name, counts)}</g>')
    for place, (name, colour) in enumerate(FLOWS.items()):
        x, y = 14 + 96 * place, 42 + HIGH * down
        parts.append(
            f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}" fill-opacity="0.75"/>'
        )
        parts.append(text(x + 17, y + 11, name))
    return "".join([*parts, "</svg>"])


def _panel(name: str, counts: Mapping[str, int]) -> str:
    """One arm: its name, its bands, its four nodes with their numbers, the moves in words."""
    total = sum(counts.values())
    one = TALL / total
    was = {"R": _sum(counts, "R→"), "W": _sum(counts, "W→")}
    now = {"R": _sum(counts, "→R"), "W": total - _sum(counts, "→R")}
    parts = [text(0, 12, name if len(name) <= 34 else f"{name[:33]}…")]
    starts = {"R": 22.0, "W": 22.0 + APART + one * was["R"]}
    ends = {"R": 22.0, "W": 22.0 + APART + one * now["R"]}
    for side, numbers, tops in ((LEFT, was, dict(starts)), (RIGHT, now, dict(ends))):
        for kind, number in numbers.items():
            if not number:
                continue
            at = tops[kind]
            parts.append(
                f'<rect x="{side}" y="{at:.1f}" width="{NODE}" height="{one * number:.1f}" '
                'fill="currentColor" fill-opacity="0.6"/>'
            )
            end = "end" if side == LEFT else "start"
            beside = side - 4 if side == LEFT else side + NODE + 4
            parts.append(text(beside, at + one * number / 2 + 4, f"{kind} {number}", end))
    for flow, colour in FLOWS.items():
        number = counts.get(flow, 0)
        if not number:
            continue
        before, after, thick = flow[0], flow[2], one * number
        parts.append(
            _band(
                starts[before], ends[after], thick, colour, f"{name}, {flow}: {number} of {total}"
            )
        )
        starts[before] += thick
        ends[after] += thick
    moved = [f"{flow} {counts[flow]}" for flow in FLOWS if flow != "W→W" and counts.get(flow)]
    parts.append(text(0, 28 + TALL + APART + 14, " · ".join(moved[:4]), fill=GREY))
    return "".join(parts)


def _band(start: float, end: float, thick: float, colour: str, said: str) -> str:
    """A band from the left nodes to the right ones."""
    a, b = LEFT + NODE, RIGHT
    middle = (a + b) / 2
    return (
        f'<path d="M {a} {start:.1f} C {middle} {start:.1f} {middle} {end:.1f} {b} {end:.1f} '
        f"L {b} {end + thick:.1f} C {middle} {end + thick:.1f} {middle} {start + thick:.1f} "
        f'{a} {start + thick:.1f} Z" fill="{colour}" fill-opacity="0.75">'
        f"<title>{escape(said)}</title></path>"
    )


def _sum(counts: Mapping[str, int], part: str) -> int:
    """Items of all flows that begin, or end, so."""
    if part.startswith("→"):
        return sum(v for k, v in counts.items() if k[1:].removesuffix("′") == part)
    return sum(v for k, v in counts.items() if k.startswith(part))
