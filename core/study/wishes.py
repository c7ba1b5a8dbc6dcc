"""What a sweep makes of one run: doses with their controls, steps, exits, cut edges, patched slots.

Doses are relative to each latent's own length. Every random edit is drawn ``draws`` times; a
draw is a seed, a donor, or another picture.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from core.errors import InputError
from core.records import Edit, Trace
from core.records.edit import MODES
from core.study.sweep import Wish

DOSES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
FRACTIONS = (0.25, 0.5, 0.75, 1.0)
LATENTS, RANDOM, SHAM, PICTURE = "latents", "random direction", "sham", "picture swapped"
EDGES = (
    ("answer", "latents"),
    ("answer", "image"),
    ("latents", "image"),
    ("latents", "question"),
    ("latents", "latents"),
)
Steps = Sequence[int] | None


def doses(
    kind: str,
    doses: Sequence[float] = DOSES,
    draws: int = 8,
    steps: Steps = None,
    span: int = 0,
    mode: str = "propagate",
    donors: Sequence[Trace] = (),
    pictures: Sequence[Tensor] = (),
    seed: int = 0,
) -> list[Wish]:
    """Dose–response of the latents with its three controls on one axis.

    Args:
        kind: ``"gaussian"``, or ``"steer"`` toward ``donors``; then the matched random
            direction, noise of the same dose, stands beside it.
        doses: relative doses, of latents and sham alike.
        draws: seeds a dose; of a steered dose as many donors as there are, at most ``draws``.
        steps, span, mode: of the edited latents; the sham and the random direction are made in
            the same mode.
        donors: runs that imagined, to steer toward.
        pictures: tokens (n, D) of other pictures, ``engine.see(picture, trace)``, of which the
            positive control is made, in mode ``propagate``; without them there is none.
        seed: of the first draw.

    Raises:
        InputError: a dose below 0, no draws, or nobody to steer toward.
    """
    _check(doses, draws)
    if kind == "steer" and not donors:
        raise InputError("Steering needs another run that imagined as a donor.")
    some: dict[str, object] = {"steps": steps, "span": span, "mode": mode}
    out: list[Wish] = []
    for dose in dict.fromkeys(float(d) for d in doses):
        for n in range(draws):
            noise = Edit("gaussian", dose=dose, seed=seed + n, **some)  # type: ignore[arg-type]
            if kind == "steer":
                if n < len(donors):
                    edit = Edit("steer", dose=dose, donor=donors[n], **some)  # type: ignore[arg-type]
                    out.append(Wish(LATENTS, (edit,), dose, n, mode=mode))
                out.append(Wish(RANDOM, (noise,), dose, n, mode=mode))
            else:
                out.append(Wish(LATENTS, (noise,), dose, n, mode=mode))
            sham = Edit("sham", dose=dose, seed=seed + n, **some)  # type: ignore[arg-type]
            out.append(Wish(SHAM, (sham,), dose, n, mode=mode))
    return out + _pictures(pictures[:draws]) if doses else out


def _pictures(pictures: Sequence[Tensor]) -> list[Wish]:
    """The picture's total effect, whatever the mode: a model whose answer looks at its latents
    alone reads no picture behind latents that are held."""
    return [
        Wish(PICTURE, (Edit("picture", values=tokens, fraction=part),), part, n)
        for part in FRACTIONS
        for n, tokens in enumerate(pictures)
    ]


def steps(
    kind: str,
    dose: float,
    count: int,
    draws: int = 4,
    span: int = 0,
    donors: Sequence[Trace] = (),
    modes: Sequence[str] = MODES,
    seed: int = 0,
) -> list[Wish]:
    """Step profile: each latent edited alone, in each mode, and the sham of one place.

    Args:
        kind, dose: of the edit, as in :func:`doses`.
        count: number of latents K.
        draws: seeds or donors a step and mode.
        span, donors, seed: as in :func:`doses`.
        modes: total step effect (``propagate``), with later inputs held (``pinned``), with
            later keys and values held too (``cached``).
    """
    _check([dose], draws)
    out = []
    drawn = min(draws, len(donors)) if kind == "steer" else draws
    for step in range(count):
        for mode in modes:
            for n in range(drawn):
                edit = Edit(
                    kind,
                    dose=dose,
                    steps=[step],
                    span=span,
                    mode=mode,
                    seed=seed + n,
                    donor=donors[n] if kind == "steer" else None,
                )
                out.append(Wish(LATENTS, (edit,), dose, n, step, mode))
        if step < count:
            sham = Edit("sham", dose=dose, steps=[step], span=span, seed=seed + step)
            out.append(Wish(SHAM, (sham,), dose, step, step))
    return out


def exits(count: int, span: int = 0) -> list[Wish]:
    """Early exit: the answer after k latents, k = 0 … K; 0 keeps the markers alone."""
    if count < 1:
        return []
    out = [Wish("exit", (Edit("markers", span=span),), count=0)]
    out += [Wish("exit", (Edit("truncate", span=span, count=k),), count=k) for k in range(1, count)]
    return [*out, Wish("exit", (Edit("identity", span=span),), count=count)]


def windows(layers: int, width: int, stride: int = 1) -> list[tuple[int, int]]:
    """(first, stop) of windows of ``width`` neighbouring layers, ``stride`` apart; the last one
    ends with the layers."""
    width = max(1, min(width, layers))
    starts = [*range(0, layers - width, max(1, stride)), layers - width]
    return [(first, first + width) for first in starts]


def knockouts(layers: int, width: int = 1, span: int = 0, stride: int = 1) -> list[Wish]:
    """Attention knockout: each edge cut in each window of layers, and in all of them."""
    out = []
    for source, target in EDGES:
        for window in [*windows(layers, width, stride), (0, layers)]:
            edit = Edit("knockout", source=source, target=target, layers=window, span=span)
            out.append(Wish(f"{source} → {target}", (edit,), layers=window))
    return out


def patches(
    donor: Trace,
    count: int,
    layers: int,
    width: int = 1,
    span: int = 0,
    part: str = "both",
    stride: int = 1,
) -> list[Wish]:
    """Layer × step patching: the donor's keys and values in one slot and window of layers each.

    Args:
        donor: a run this engine holds, with another answer as a rule.
        count: number of latents K that both runs have.
        layers, width, stride: of the windows.
        part: ``"both"``, ``"keys"`` or ``"values"``.
    """
    out = []
    for window in [*windows(layers, width, stride), (0, layers)]:
        for step in [*range(count), -1]:
            chosen = list(range(count)) if step < 0 else [step]
            edit = Edit("slot", steps=chosen, span=span, layers=window, part=part, donor=donor)
            out.append(Wish("patch", (edit,), step=step, layers=window, mode="cached"))
    return out


def _check(doses: Sequence[float], draws: int) -> None:
    if draws < 1:
        raise InputError("A sweep needs at least one draw.")
    if any(not 0 <= d < float("inf") for d in doses):
        raise InputError("Doses are numbers of 0 or more.")
