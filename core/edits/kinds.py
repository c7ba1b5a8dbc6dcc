"""The kinds of edit there are, each with what a person needs to know to choose it.

A kind acts at a *locus*: ``content`` overwrites the vector that is fed back (what the
published interventions do); ``slot`` moves the keys and values of latent positions, which is
where a model may keep what its latents seem not to hold; ``edge`` cuts attention from or to
the latents; ``presence`` changes whether and how many latents there are; ``gate`` forbids or
forces the span; ``text`` rewrites the imagination of a model that imagines in words;
``prompt`` changes what stands before the latents, for controls. Content edits leave the slots
themselves in place: at every layer but the first a latent slot still attends to the picture,
so a null at that locus alone does not show that latents are useless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from core.edits.context import Context
from core.errors import EditError
from core.records import Edit

Change = Callable[[int, Tensor], Tensor]
"""(step, the vector about to be fed (D,) float32) → the vector to feed."""

Locus = Literal["content", "slot", "edge", "presence", "gate", "text", "prompt"]


@dataclass(frozen=True)
class Kind:
    """A kind of edit.

    Attributes:
        name: what ``Edit.kind`` holds.
        title: for people.
        sentence: what it does, in one sentence.
        locus: where it acts.
        parameters: fields of :class:`Edit` it reads besides steps, span, mode and seed.
        needs: ``"donor"`` or ``"bank"``, without which it cannot be applied.
        make: for content kinds, builds the change from the edit and its context.
    """

    name: str
    title: str
    sentence: str
    locus: Locus = "content"
    parameters: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    make: Callable[[Edit, Context], Change] | None = None


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make a kind known under its name."""
    if kind.name in _kinds:
        raise ValueError(f"A kind of edit named {kind.name!r} is registered already.")
    _kinds[kind.name] = kind
    return kind


def kinds() -> tuple[Kind, ...]:
    """All kinds, in the order they are offered."""
    return tuple(_kinds.values())


def get(name: str) -> Kind:
    """The kind called ``name``.

    Raises:
        EditError: when there is none; the sentence lists the names.
    """
    if name not in _kinds:
        raise EditError(f"Edit “{name}” is unknown; choose one of {', '.join(_kinds)}.")
    return _kinds[name]
