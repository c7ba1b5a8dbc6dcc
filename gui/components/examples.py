"""The built-in examples as small pictures, a task's at a time; one click loads and runs one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

SCRIPT = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-example]");
  if (button) trigger("choose", { index: Number(button.dataset.example) });
  const task = event.target.closest("button[data-task]");
  if (!task) return;
  for (const one of element.querySelectorAll("button[data-task]")) {
    one.setAttribute("aria-pressed", String(one === task));
  }
  for (const group of element.querySelectorAll(".examples")) {
    group.hidden = group.dataset.task !== task.dataset.task;
  }
});
"""

TASKS = {
    "attribute": "What?",
    "relative": "Which side?",
    "where": "Where?",
    "count": "How many?",
    "plan": "Which way?",
}


def examples_html(items: Sequence[tuple[str, str, str]], current: int | None) -> str:
    """Examples grouped by task; the group of the current one, else the first, is shown.

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
    here = items[current][0] if current is not None and current < len(items) else None
    here = here if here in groups else next(iter(groups), None)
    names = {task: escape(TASKS.get(task, task.capitalize())) for task in groups}
    keys = {task: escape(task, quote=True) for task in groups}
    pills = "".join(
        f'<button type="button" data-task="{keys[task]}" '
        f'aria-pressed="{str(task == here).lower()}">{name}</button>'
        for task, name in names.items()
    )
    return f'<div class="tasks" role="group" aria-label="Task">{pills}</div>' + "".join(
        f'<div class="examples" data-task="{keys[task]}"{"" if task == here else " hidden"} '
        f'role="group" aria-label="{names[task]}">{"".join(buttons)}</div>'
        for task, buttons in groups.items()
    )
