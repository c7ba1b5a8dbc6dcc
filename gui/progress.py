"""A sweep in words: which run it is of, how far it is, and what has to be said in the end."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.study.sweep import Sweep, Wish
    from gui.sweeping import Asked, Subject


def about_html(about: Subject) -> str:
    """Which run is swept."""
    answer = about.trace.answer or "no answer read"
    what = f"{about.count} latents" if about.count > 1 else "1 latent"
    return (
        f"<p class='subject' data-run='{escape(about.place, quote=True)}'>"
        f"<b>{escape(about.title)}</b> {escape(answer)}</p>"
        f"<p class='soft'>{escape(about.trace.prompt.question)}</p>"
        f"<p class='soft'>The run on the Studio's screen, {what}.</p>"
    )


def bar_html(sentence: str, done: int = 0, total: int = 0) -> str:
    """A bar with a sentence under it; without a total it only says that something goes on."""
    at = f" value='{done}' max='{max(total, 1)}'" if total else ""
    return (
        f"<progress aria-label='Sweep'{at}></progress><p class='soft' role='status'>"
        f"{escape(sentence)}</p>"
    )


def progress_html(sweeps: list[Sweep], total: int, ended: bool = False) -> str:
    """How far it is, how fast, and how long it will still take."""
    done = sum(s.done for s in sweeps)
    seconds = sum(s.seconds for s in sweeps)
    rate = done / seconds if seconds > 0 else 0.0
    if ended:
        return bar_html(f"{done} of {total} branches in {seconds:.1f} s", done, total)
    left = f", about {max(1, round((total - done) / rate))} s left" if rate else ""
    return bar_html(f"{done} of {total} branches, {rate:.0f} a second{left}", done, total)


def ending(asked: Asked, wanted: dict[str, list[Wish]], finished: list[Sweep]) -> str:
    """What has to be said when a sweep is over; "" when all went as asked."""
    said = []
    if any(s.stopped for s in finished) or len(finished) < len(wanted):
        said.append("Stopped; what was finished is kept.")
    if "slots" in asked.figures and "slots" not in wanted:
        said.append("No other example gave another answer, so no slots could be patched.")
    if "doses" in wanted and not wanted["doses"]:
        said.append("No dose was given, so there is no dose–response.")
    refused = [why for s in finished for _, why in s.refused]
    if refused:
        many = f"{len(refused)} branches" if len(refused) > 1 else "One branch"
        said.append(f"{many} could not be made: {refused[0]}")
    return " ".join(said)
