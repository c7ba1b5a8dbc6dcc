"""What single latents do: the step profile in three modes, and the answer after k latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gui.figures.axes import NEGLIGIBLE, axis, bars, number, paper, said, upward
from gui.figures.look import INK, NOW, SOFT, THEN

if TYPE_CHECKING:
    from core.measures.statistics import Interval

MODES = {
    "propagate": ("propagate", NOW, "circle", "solid"),
    "pinned": ("pinned", "#a05fb4", "diamond", "dash"),
    "cached": ("cached", THEN, "square", "dot"),
}


def profile_figure(
    modes: Mapping[str, Mapping[int, Interval]],
    sham: Mapping[int, Interval],
    quantity: str,
    caption: str,
) -> dict[str, Any]:
    """One line a mode over the edited step, the sham beside them.

    Args:
        modes: mode → step (from 0) → mean over the draws with its interval.
        sham: step → the same dose at one place of the prompt.
        quantity: what is measured, with its unit.
        caption: under the figure.
    """
    shift = {"propagate": -0.08, "pinned": 0.0, "cached": 0.08}
    data = [
        _line(MODES[mode][0], values, MODES[mode][1:], quantity, shift[mode])
        for mode, values in modes.items()
    ]
    data.append(_line("sham", sham, (SOFT, "x", "dot"), quantity, 0.16))
    shown = [*modes.values(), sham]
    tops = [max(i.estimate, i.high if i.high == i.high else 0) for v in shown for i in v.values()]
    steps = sorted({step for values in modes.values() for step in values})
    ticks = {"tickvals": [s + 1 for s in steps], "ticktext": [f"z{s + 1}" for s in steps]}
    wide = [min(steps, default=0) + 0.6, max(steps, default=0) + 1.4]
    return {
        "data": data,
        "layout": paper(
            caption,
            xaxis=axis("edited latent", range=wide, **ticks),
            yaxis=axis(quantity, **upward(tops, NEGLIGIBLE)),
            meta={"columns": ["step", "low", "high"]},
        ),
    }


def _line(
    title: str,
    values: Mapping[int, Interval],
    style: tuple[str, str, str],
    quantity: str,
    shift: float,
) -> dict[str, Any]:
    steps = sorted(values)
    colour, symbol, dash = style
    means = [values[s].estimate for s in steps]
    lows, highs = [values[s].low for s in steps], [values[s].high for s in steps]
    return {
        "type": "scatter", "mode": "lines+markers", "name": title,
        "x": [s + 1 + shift for s in steps], "y": [number(m) for m in means],
        "error_y": {**bars(means, lows, highs), "color": colour},
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "symbol": symbol, "size": 8},
        "customdata": [[f"z{s + 1}", number(values[s].low), number(values[s].high)] for s in steps],
        "text": [f"{title}<br>z{s + 1}: {quantity} {said(values[s].estimate)}" for s in steps],
        "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


@dataclass(frozen=True)
class Exit:
    """The answer after ``count`` latents."""

    count: int
    answer: str
    probability: float
    same: bool


def exits_figure(exits: Sequence[Exit], quantity: str, caption: str) -> dict[str, Any]:
    """The base's answer after k latents; a full mark where the answer is the full run's."""
    counts = [one.count for one in exits]
    words = [one.answer if len(one.answer) <= 14 else one.answer[:13] + "…" for one in exits]
    return {
        "data": [
            {
                "type": "scatter", "mode": "lines+markers+text", "name": "answer after k latents",
                "x": counts, "y": [number(one.probability) for one in exits], "text": words,
                "textposition": "top center", "textfont": {"size": 11, "color": INK},
                "cliponaxis": False, "line": {"color": NOW, "width": 2},
                "marker": {
                    "color": NOW, "size": 10, "line": {"width": 2, "color": NOW},
                    "symbol": ["circle" if one.same else "circle-open" for one in exits],
                },
                "customdata": [
                    [one.answer, "the full run's" if one.same else "another"] for one in exits
                ],
                "hovertemplate": "after %{x} latents: %{customdata[0]}<br>%{y:.3f}<extra></extra>",
            }
        ],
        "layout": paper(
            caption, showlegend=False,
            xaxis=axis("latents before the span is ended", tickvals=counts,
                       range=[min(counts, default=0) - 0.5, max(counts, default=1) + 0.5]),
            yaxis=axis(quantity, range=[-0.04, 1.14], tickvals=[0, 0.25, 0.5, 0.75, 1]),
            meta={"columns": ["answer", "which"]},
        ),
    }  # fmt: skip
