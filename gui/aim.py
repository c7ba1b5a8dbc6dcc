"""What an act is aimed at: the run, the latents and the picture that were seen when it was wished.

What the page shows is a moment older than what the server holds, and a selection a moment newer:
a click on Apply may overtake the news of the latents selected just before it. So every act that
concerns what is on the screen carries what the screen showed at that moment. The server does that
and nothing else, or says in a sentence that it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gui.acts import select
from gui.components.picture import mark_of
from gui.errors import GuiError

if TYPE_CHECKING:
    from core.records import Trace
    from gui.visits import Visit

# Javascript of an event whose second input is the strip, and whose third is the steps field.
AIMED = "(...given) => { given[1] = window.zscopeAim(); return given; }"
AIMED_STEPS = (
    "(...given) => { given[1] = window.zscopeAim(); given[2] = given[1].text; return given; }"
)
CHANGED = (
    "The page was still changing when that was pressed, so nothing was done; look again and press "
    "it once more."
)


@dataclass(frozen=True)
class Aim:
    """What was on a visitor's screen.

    Attributes:
        base, shown: ids of the run compared with and of the one in the strip; "" for none.
        span, steps: what was selected in the strip.
        order: of that selection; later ones have higher.
        waits: the latent that waited to be fed, as :func:`waiting` writes it; "" for none.
        picture: :func:`~gui.components.picture.mark_of` the picture; "" for none.
    """

    base: str = ""
    shown: str = ""
    span: int = 0
    steps: tuple[int, ...] = ()
    order: float = 0.0
    waits: str = ""
    picture: str = ""

    def select(self, visit: Visit) -> None:
        """The selection that was seen is the visit's, unless a later one is known already."""
        select(visit, self.span, list(self.steps), self.order)

    def run(self, visit: Visit, of_branch: bool = False) -> Trace:
        """The baseline that was seen, or the branch.

        Raises:
            GuiError: there was none, or it is there no more.
        """
        if visit.baseline is None:
            raise GuiError("Run a question first; then there is something to edit.")
        found = visit.trace((of_branch and self.shown) or self.base)
        if found is None:
            raise GuiError(CHANGED)
        return found

    def check_waiting(self, visit: Visit) -> bool:
        """Whether a latent waits to be fed.

        Raises:
            GuiError: another one than was seen.
        """
        if self.waits != waiting(visit):
            raise GuiError(CHANGED)
        return bool(self.waits)

    def check_picture(self, visit: Visit) -> None:
        """Refuse where another picture has come in its place.

        Raises:
            GuiError: so it is.
        """
        if self.picture != mark_of(visit.uri):
            raise GuiError(CHANGED)


def aim_of(told: Any, visit: Visit) -> Aim:
    """What a page tells of its screen; where nothing was seen, as by a program, what the visit
    holds.

    Raises:
        GuiError: it tells nothing that can be understood.
    """
    if not isinstance(told, dict):
        return Aim(
            visit.base or "", visit.shown or "", visit.span, visit.steps, visit.picked,
            waiting(visit), mark_of(visit.uri),
        )  # fmt: skip
    try:
        return Aim(
            str(told["base"]), str(told["shown"]), int(told["span"]),
            tuple(int(step) for step in told["steps"][:4096]), float(told["order"]),
            str(told["waits"]), str(told["picture"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise GuiError(CHANGED) from error


def seen_of(visit: Visit) -> dict[str, str]:
    """What the strip is told, to be handed back with every act."""
    return {
        "base": visit.base or "", "shown": visit.shown or "", "waits": waiting(visit),
        "order": str(visit.picked),
    }  # fmt: skip


def waiting(visit: Visit) -> str:
    """The latent that waits to be fed, as “span:step”; "" for none."""
    if visit.pending is None or visit.pending.step is None:
        return ""
    return f"{visit.pending.step.span}:{visit.pending.step.step}"


def seen_at(selector: str, name: str) -> str:
    """Javascript of an event whose second input tells what an element's ``data-`` name says."""
    return (
        f"(...given) => {{ const it = document.querySelector('{selector} [data-{name}]'); "
        f"given[1] = {{ seen: it ? it.dataset.{name} : '' }}; return given; }}"
    )


def check_seen(told: Any, now: str, sentence: str) -> None:
    """Refuse where what was seen at an element (:func:`seen_at`) is no more; nothing may be.

    Raises:
        GuiError: so it is.
    """
    if isinstance(told, dict) and told.get("seen") not in ("", now):
        raise GuiError(sentence)
