"""The branches of a run: every edit makes one, and each can be returned to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

SCRIPT = (Path(__file__).parent / "tree.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Leaf:
    """One branch as it is listed.

    Attributes:
        id: trace id.
        title: its name.
        answer: its parsed answer, or why there is none.
        depth: edits between it and the run it grew from.
        badge: key of :data:`gui.comparison.BADGES` against the run; "" for the run itself.
        shown: it is the one on the screen.
        compared: it is the one the screen compares with.
    """

    id: str
    title: str
    answer: str
    depth: int = 0
    badge: str = ""
    shown: bool = False
    compared: bool = False


def tree_html(leaves: Sequence[Leaf]) -> str:
    """The list of branches as HTML; "" when there is nothing to list."""
    if not leaves:
        return ""
    rows = []
    for leaf in leaves:
        name = escape(leaf.title)
        label = escape(f"{leaf.title}: {leaf.answer}", quote=True)
        tools = "" if leaf.compared else _tool("compare", leaf.id, "compare with this", "⇄")
        if leaf.depth:
            tools += _tool("rename", leaf.id, f"rename {leaf.title}", "✎")
            tools += _tool("delete", leaf.id, f"delete {leaf.title}", "×")
        role = ' <small class="role">compared</small>' if leaf.compared else ""
        rows.append(
            f'<li class="leaf {leaf.badge}{" shown" if leaf.shown else ""}" '
            f'style="--depth:{leaf.depth}">'
            f'<button type="button" class="go" data-act="show" data-id="{leaf.id}" '
            f'aria-current="{"true" if leaf.shown else "false"}" '
            f'aria-label="{label}" title="{label}">'
            f'<span class="dot"></span>'
            f'<span class="title" data-title="{escape(leaf.title, quote=True)}">'
            f'{name}{role}</span><span class="answer">{escape(leaf.answer)}</span></button>'
            f'<span class="tools">{tools}</span></li>'
        )
    return f'<h3>Branches</h3><ul class="tree">{"".join(rows)}</ul>'


def _tool(act: str, id: str, label: str, sign: str) -> str:
    label = escape(label, quote=True)
    return (
        f'<button type="button" data-act="{act}" data-id="{id}" aria-label="{label}" '
        f'title="{label}">{sign}</button>'
    )
