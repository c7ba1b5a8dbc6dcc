"""What stands where nothing has been run yet: what will stand there, and a button that begins."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def invite_html(
    title: str, sentence: str, parts: Mapping[str, str], button: str, presses: str
) -> str:
    """An invitation as HTML.

    Args:
        title, sentence: what it is about.
        parts: what there will be → what it shows.
        button: words of the button.
        presses: CSS selector of the control the button stands for.
    """
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(what)}</dd></div>" for name, what in parts.items()
    )
    return (
        f'<section class="invite"><h2>{escape(title)}</h2><p>{escape(sentence)}</p>'
        f"<dl>{listed}</dl>"
        f'<button type="button" data-press="{escape(presses, quote=True)}">{escape(button)}'
        "</button></section>"
    )
