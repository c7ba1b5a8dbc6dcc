"""The built-in examples as small pictures; one click loads and runs one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

SCRIPT = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-example]");
  if (button) trigger("choose", { index: Number(button.dataset.example) });
});
"""

TASKS = {
    "attribute": "What is it?",
    "relative": "Which side?",
    "where": "Where is it?",
    "count": "How many?",
    "plan": "Which way?",
}


def examples_html(items: Sequence[tuple[str, str, str]], current: int | None) -> str:
    """Examples grouped by task.

    Args:
        items: (task, question, ``data:`` address of the thumbnail) of each.
        current: index of the one on the screen.
    """
    groups: dict[str, list[str]] = {}
    for index, (task, question, uri) in enumerate(items):
        label = escape(f"Example {index + 1}: {question}", quote=True)
        groups.setdefault(task, []).append(
            f'<button type="button" data-example="{index}" title="{label}" aria-label="{label}" '
            f'aria-current="{"true" if index == current else "false"}">'
            f'<img src="{escape(uri, quote=True)}" alt="" loading="lazy"></button>'
        )
    return "".join(
        f'<div class="examples"><h4>{escape(TASKS.get(task, task.capitalize()))}</h4>'
        f"<div>{''.join(buttons)}</div></div>"
        for task, buttons in groups.items()
    )
