"""Arms: what is done to every item, each a named frozen value.

An arm says which run it starts from and what is done to its latents::

    base                      Y(x, Z(x))      the item as it is
    x = image edit            Y(x′, Z(x′))    another input, latents free
    edits on the base         Y(x, z*)        the same input, latents changed
    edits with donor "x"      Y(x, Z(x′))     latents of the changed input put into the base run
    x with donor "base"       Y(x′, Z(x))     the base latents put into the changed input's run

The last three are one thing: a parent run, a donor run, an edit. ``transplant`` stands for "the
donor's imagination", which is a swap of latents or, for a model that imagines in words, the
donor's sentence; so one arm serves both sorts of model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from core.edits import get as kind_of
from core.errors import InputError
from core.records import Edit
from core.study.pictures import CHANGES

TRANSPLANT = "transplant"
X_KINDS = (*CHANGES, "swap image", "swap question", "swap both", "counterfactual", "no image")
DONORS = ("other answer", "same answer", "other task", "any")
PARENTS = ("base", "x")
WORDS = ("free", "held", "none")
ROLES = (
    "base",
    "reference",
    "identity",
    "effect",
    "sham",
    "input",
    "blind",
    "mediation",
    "probe",
    "dose",
    "words",
)


@dataclass(frozen=True)
class Input:
    """do(X).

    Attributes:
        kind: one of :data:`X_KINDS`. ``"counterfactual"`` is the item's minimal pair, and
            ``"swap image"`` where it has none.
        strength: see :mod:`core.study.pictures`.
    """

    kind: str
    strength: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in X_KINDS:
            raise InputError(
                f"Input edit “{self.kind}” is unknown; choose of {', '.join(X_KINDS)}."
            )


@dataclass(frozen=True)
class Latent:
    """do(Z): an edit without its donor, which differs from item to item.

    The fields are those of :class:`core.records.Edit`; ``kind`` may also be ``"transplant"``.
    """

    kind: str
    dose: float | None = None
    angle: float | None = None
    fraction: float | None = None
    renorm: bool = False
    count: int | None = None
    part: str = "both"
    layers: tuple[int, int] | None = None
    source: str | None = None
    target: str | None = None
    steps: tuple[int, ...] | None = None
    text: str | None = None
    mode: str = "propagate"

    def __post_init__(self) -> None:
        if self.kind != TRANSPLANT:
            kind_of(self.kind)
        Edit(self.kind, mode=self.mode, part=self.part)  # its own checks of mode and part

    @property
    def locus(self) -> str:
        """Where it acts: content, slot, edge, presence, gate or text."""
        return "content" if self.kind == TRANSPLANT else kind_of(self.kind).locus

    @property
    def draws(self) -> bool:
        """Whether its result depends on a seed."""
        return self.kind in ("gaussian", "rotate", "resample", "permute")


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        name: unique in a study.
        role: what it is for; see :data:`ROLES`.
        x: the changed input, or None.
        parent: the run that is branched, ``"base"`` or the run on ``"x"``; only of meaning with
            ``z``.
        z: edits of the latents; empty leaves them as they come.
        donor: whose latents ``z`` uses: a donor class of :data:`DONORS`, ``"base"``, ``"x"``,
            or "" for none.
        draws: random draws (or donors) an item, averaged within the item.
        declared: belongs to the family of tests declared before the run (Holm); others are
            exploratory (Benjamini–Hochberg).
        force: the model is made to open a span in the run on ``x``.
        words: what becomes of the words behind the latents, the second mediator: ``"free"``
            lets them come anew (total effect), ``"held"`` keeps the item's own and scores the
            options behind them (controlled direct effect past the words), ``"none"`` opens the
            answer at once.
        says: what is done, in words, for the report.
    """

    name: str
    role: str = "effect"
    x: Input | None = None
    parent: str = "base"
    z: tuple[Latent, ...] = ()
    donor: str = ""
    draws: int = 1
    declared: bool = True
    force: bool = False
    words: str = "free"
    says: str = ""

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InputError(f"Role “{self.role}” is unknown; choose of {', '.join(ROLES)}.")
        if self.parent not in PARENTS or self.donor not in ("", "base", "x", *DONORS):
            raise InputError(f"Arm “{self.name}” names a run that does not exist.")
        if "x" in (self.parent, self.donor) and self.x is None:
            raise InputError(f"Arm “{self.name}” uses a changed input but names none.")
        if self.words not in WORDS:
            raise InputError(f"Words “{self.words}” is unknown; choose of {', '.join(WORDS)}.")
        if self.words != "free" and (self.parent != "base" or (self.x and not self.z)):
            raise InputError(f"Arm “{self.name}” can hold words in the run on the item alone.")
        if self.draws < 1:
            raise InputError(f"Arm “{self.name}” needs at least one draw.")

    @property
    def locus(self) -> str:
        """X for an edit of the input, else the locus of its latent edits, or "none"."""
        if not self.z:
            return "X" if self.x else "none"
        return self.z[0].locus

    def plain(self) -> dict[str, Any]:
        """Everything that is not at its default, for JSON."""
        out: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "name" or value != one.default:
                out[one.name] = value
        if self.x:
            out["x"] = _short(asdict(self.x))
        if self.z:
            out["z"] = [_short(asdict(edit)) for edit in self.z]
        return out

    def fingerprint(self) -> str:
        """Twelve hex digits of what it does; its name and words do not count."""
        said = {k: v for k, v in self.plain().items() if k not in ("name", "says", "declared")}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def _short(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v not in (None, False, 0.0) or k == "kind"}


def from_plain(said: dict[str, Any]) -> Arm:
    """An arm from what :meth:`Arm.plain` gave, or somebody wrote by hand.

    Raises:
        InputError, EditError: it says something an arm cannot be.
    """
    try:
        values = dict(said)
        if values.get("x"):
            values["x"] = Input(**values["x"])
        edits = []
        for edit in values.get("z", ()):
            lists = {k: tuple(v) for k, v in edit.items() if isinstance(v, list)}
            edits.append(Latent(**{**edit, **lists}))
        values["z"] = tuple(edits)
        return Arm(**values)
    except TypeError as error:
        raise InputError(f"An arm cannot be read ({error}).") from error


BASE = Arm("base", "base", says="the item as it is")


def with_base(arms: Iterable[Arm]) -> tuple[Arm, ...]:
    """The arms with the base first.

    Raises:
        InputError: two arms have one name.
    """
    out = (BASE, *(arm for arm in arms if arm.role != "base"))
    names = [arm.name for arm in out]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"Two arms are called “{twice}”; give each its own name.")
    return out


def chosen(arms: Sequence[Arm], names: Sequence[str]) -> tuple[Arm, ...]:
    """The arms of these names, in their own order, the base included.

    Raises:
        InputError: a name that is none of them.
    """
    known = {arm.name for arm in arms}
    for name in names:
        if name not in known:
            raise InputError(f"There is no arm “{name}”; choose of {', '.join(sorted(known))}.")
    return with_base(arm for arm in arms if arm.name in names)


def seeded(arm: Arm, draws: int) -> Arm:
    """The arm with another number of draws where its result depends on a draw."""
    return replace(arm, draws=draws) if any(edit.draws for edit in arm.z) else arm
