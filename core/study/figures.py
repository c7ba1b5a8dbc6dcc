"""A report's figures as plain SVG: no library, no script, sharp at any size.

Colours are from Okabe and Ito's scale, which people with any colour vision tell apart; every
figure carries its values as text or titles as well, so that nothing is said by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from core.measures.statistics import Interval

BLUE, ORANGE, GREEN, GREY, RED = "#0072b2", "#e69f00", "#009e73", "#777777", "#d55e00"
STYLE = 'font-family="system-ui, sans-serif" font-size="12"'
ROW, LEFT, WIDE, BEHIND = 26, 250, 420, 300
ROOM = 30  # pixels that the number under an axis takes


def forest(
    rows: Sequence[tuple[str, Interval, str]],
    margin: float | None,
    title: str,
    scale: float = 100.0,
    unit: str = "points",
    signed: bool = True,
    digits: int | None = None,
) -> str:
    """Estimates with their intervals, one a row, the equivalence band shaded.

    Args:
        rows: (label, interval, note behind it).
        margin: half-width of the band in the interval's own unit, or None.
        scale: factor from the interval's unit to the axis's.
        signed: numbers are differences and carry their sign.
        digits: behind the point; None gives one, or two where the unit is not scaled.
    """
    shown = [(label, i, note) for label, i, note in rows if i.estimate == i.estimate]
    if not shown:
        return ""
    ends = [v * scale for _, i, _ in shown for v in (_low(i), _high(i))]
    under = -1.0 if signed else 0.0  # a share has no side below 0
    ends += [0.0] if margin is None else [1.5 * under * margin * scale, 1.5 * margin * scale]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low or 1.0)
    low, high = low - room, high + room
    places = (1 if scale > 1 else 2) if digits is None else digits

    def x(value: float) -> float:
        return LEFT + (value * scale - low) / (high - low) * WIDE

    height, sign = 60 + ROW * len(shown), "+" if signed else ""
    parts = [opened(LEFT + WIDE + BEHIND, height, title)]
    if margin is not None:
        parts.append(
            f'<rect x="{x(under * margin):.1f}" y="26" '
            f'width="{x(margin) - x(under * margin):.1f}" '
            f'height="{ROW * len(shown) + 6}" fill="{GREEN}" opacity="0.15">'
            f"<title>declared margin ±{margin * scale:g} {unit}</title></rect>"
        )
    parts.append(line(x(0), 26, x(0), 32 + ROW * len(shown), GREY))
    for row, (label, interval, note) in enumerate(shown):
        y = 42 + ROW * row
        drawn = interval.estimate, _low(interval), _high(interval)
        # + 0.0: what rounds to nothing has no sign
        shown_ = [f"{round(value * scale, places) + 0.0:{sign}.{places}f}" for value in drawn]
        said = "{} ({} to {})".format(*shown_)
        parts += [
            text(LEFT - 10, y + 4, label, anchor="end"),
            line(x(_low(interval)), y, x(_high(interval)), y, BLUE, 2),
            f'<circle cx="{x(interval.estimate):.1f}" cy="{y}" r="4.5" fill="{BLUE}">'
            f"<title>{escape(label)}: {said} {escape(unit)}</title></circle>",
            text(LEFT + WIDE + 10, y + 4, f"{said} {note}"),
        ]
    bottom = 40 + ROW * len(shown)
    for tick in ticks(low, high):
        place = LEFT + (tick - low) / (high - low) * WIDE
        parts.append(text(place, bottom + 12, f"{tick:g}", anchor="middle", fill=GREY))
    parts.append(text(LEFT + WIDE / 2, bottom + 14, "", anchor="middle"))
    return "".join([*parts, "</svg>"])


def stacked(rows: Sequence[tuple[str, Mapping[str, int]]], title: str) -> str:
    """Shares of a whole as one bar a row: how answers moved."""
    colours = {"R→R": BLUE, "W→W": GREY, "R→W": RED, "W→R": GREEN, "W→W′": ORANGE}
    parts = [opened(LEFT + WIDE + BEHIND, 70 + ROW * len(rows), title)]
    for row, (label, counts) in enumerate(rows):
        y, at, total = 34 + ROW * row, float(LEFT), sum(counts.values())
        parts.append(text(LEFT - 10, y + 13, label, anchor="end"))
        for name, colour in colours.items():
            width = WIDE * counts.get(name, 0) / total if total else 0.0
            if width:
                parts.append(
                    f'<rect x="{at:.1f}" y="{y}" width="{width:.1f}" height="18" fill="{colour}">'
                    f"<title>{escape(label)}, {name}: {counts[name]} of {total}</title></rect>"
                )
            if width > 34:
                parts.append(text(at + width / 2, y + 13, str(counts[name]), "middle", "#fff"))
            at += width
    for place, (name, colour) in enumerate(colours.items()):
        x, y = LEFT + 90 * place, 46 + ROW * len(rows)
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(text(x + 17, y + 11, name))
    return "".join([*parts, "</svg>"])


def curves(
    lines: Mapping[str, Sequence[tuple[float, Interval]]], title: str, across: str, up: str
) -> str:
    """Curves with intervals over a logarithmic axis, shares on the other."""
    import math

    points = [p for course in lines.values() for p in course if p[0] > 0]
    if not points:
        return ""
    low, high = (f(math.log10(x) for x, _ in points) for f in (min, max))
    span = high - low or 1.0

    def place(x: float, share: float) -> tuple[float, float]:
        return 70 + (math.log10(x) - low) / span * WIDE, 250 - 200 * share

    parts = [opened(WIDE + 330, 310, title), line(70, 250, 70 + WIDE, 250, GREY)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(text(60, 254 - 200 * share, f"{share:.0%}", anchor="end", fill=GREY))
    for number, (name, course) in enumerate(lines.items()):
        colour = (BLUE, ORANGE, GREEN, RED, GREY)[number % 5]
        drawn = [(x, i) for x, i in course if x > 0]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(x, i.estimate) for x, i in drawn))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, interval in drawn:
            a, b = place(x, interval.estimate)
            parts.append(
                line(a, place(x, _low(interval))[1], a, place(x, _high(interval))[1], colour)
            )
            parts.append(
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}">'
                f"<title>{escape(name)} at {x:.3g}: {interval.estimate:.1%}</title></circle>"
            )
        parts += legend(WIDE + 90, 60 + 20 * number, name, colour)
    # The longest curve's places first; another's where its number has room beside them.
    named: list[float] = []
    for course in sorted(lines.values(), key=len, reverse=True):
        for x in sorted({round(x, 3) for x, _ in course if x > 0}):
            at = place(x, 0)[0]
            if all(abs(at - other) >= ROOM for other in named):
                named.append(at)
                parts.append(text(at, 268, f"{x:g}", anchor="middle", fill=GREY))
    parts += [text(70 + WIDE / 2, 290, across, anchor="middle"), text(20, 34, up)]
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers between two ends."""
    import math

    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    step = 10.0 ** math.floor(math.log10(span))
    step = next((step * f for f in (0.1, 0.2, 0.25, 0.5, 1.0) if span / (step * f) <= most), step)
    first = math.ceil(low / step) * step
    found = [round(first + step * n, 10) for n in range(most + 2)]
    return [tick for tick in found if tick <= high]


def _low(interval: Interval) -> float:
    return interval.low if interval.low == interval.low else interval.estimate


def _high(interval: Interval) -> float:
    return interval.high if interval.high == interval.high else interval.estimate


def opened(wide: int, high: int, title: str) -> str:
    """The beginning of a figure, its title in it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" '
        f'role="img" aria-label="{escape(title)}" {STYLE}>'
        f'<text x="10" y="16" font-weight="600" fill="currentColor">{escape(title)}</text>'
    )


def legend(x: float, y: float, words: str, colour: str, dash: str = "none") -> list[str]:
    """A series' name behind a piece of its line; the name itself in the text's own colour."""
    return [
        f'<line x1="{x:.1f}" y1="{y - 4:.1f}" x2="{x + 24:.1f}" y2="{y - 4:.1f}" '
        f'stroke="{colour}" stroke-width="4" stroke-dasharray="{dash}"/>',
        text(x + 30, y, words),
    ]


def text(x: float, y: float, words: str, anchor: str = "start", fill: str = "currentColor") -> str:
    """Words at a place, escaped; grey ones are the text's own colour, fainter, on any paper."""
    how = 'fill="currentColor" fill-opacity="0.75"' if fill == GREY else f'fill="{fill}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {how}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    """A straight line."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )
