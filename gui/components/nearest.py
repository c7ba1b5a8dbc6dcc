"""Who is nearest in the space itself: the evidence a map is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Near:
    """A neighbour of a latent.

    Attributes:
        name, task, answer: what it is.
        distance: Euclidean, in the original space.
        cosine: raw.
        on_map: whether it is among as many nearest on the map.
    """

    name: str
    task: str
    answer: str
    distance: float
    cosine: float
    on_map: bool


@dataclass(frozen=True)
class Neighbourhood:
    """A latent, how far from normal it is, and its neighbours; nearest first."""

    title: str
    role: str
    facts: str
    near: Sequence[Near]


def nearest_html(blocks: Sequence[Neighbourhood], sentence: str = "") -> str:
    """A small table a latent, side by side.

    Args:
        sentence: what stands there when there is nothing to list.
    """
    if not blocks:
        return f'<p class="soft">{escape(sentence)}</p>'
    return f'<div class="nearest-pair">{"".join(_block(block) for block in blocks)}</div>'


def _block(block: Neighbourhood) -> str:
    rows = "".join(
        f"<tr><td class='on' title='{_map(n)}'>{'●' if n.on_map else '○'}</td>"
        f"<td class='who' title='{escape(n.name, quote=True)}'>{escape(_short(n.name))}</td>"
        f"<td>{escape(n.task)}</td><td>{escape(n.answer)}</td>"
        f"<td class='number'>{n.distance:.2f}</td><td class='number'>{_signed(n.cosine)}</td></tr>"
        for n in block.near
    )
    facts = f'<p class="soft">{escape(block.facts)}</p>' if block.facts else ""
    return (
        f'<section class="nearest {escape(block.role, quote=True)}">'
        f"<h4>{escape(block.title)}</h4>{facts}<table><thead><tr>"
        "<th><abbr title='among the nearest on the map too'>map</abbr></th><th>nearest</th>"
        "<th>task</th><th>answered</th>"
        "<th><abbr title='Euclidean, in the space itself'>dist.</abbr></th>"
        "<th>cosine</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></section>"
    )


def _short(name: str) -> str:
    """A long id by its end, where ids differ."""
    who, _, step = name.rpartition(", ")
    return name if len(who) <= 14 else f"…{who[-4:]}, {step}"


def _map(near: Near) -> str:
    return "among the nearest on the map too" if near.on_map else "not among the nearest on the map"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−") if value == value else "–"
