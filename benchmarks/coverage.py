"""Whether a study's 95 % intervals hold the truth in 95 % of studies, on models of known truth.

    python benchmarks/coverage.py [--studies 1000] [--items 80 200] [--resamples 1000]
    python benchmarks/coverage.py --boundary 10000     # the equivalence test at its margin alone

Each model gives m(x, z) and z(x) as a formula, so TE, NDE, NIE, TIE and INT of the population
are numbers. A study draws items x ~ N(0, 1) and x′ ~ N(1, 1), measures the four cells with
error and splits them as `launch.py study` does. Per effect the table says how many of the
studies had the truth inside their interval (to be 93 to 97 %; choices are counts, whose
intervals are built to err upwards), then how often an effect that is 0 was called one, and how
often one as large as the margin was called equivalent to none (each to be 5 % at most).

At the margin itself two one-sided tests at 5 % err in 5 % of studies by construction: for normal
differences the t statistic at the margin has its nominal distribution, and the other test never
matters. So 1,000 studies show 5 % ± 1.35; `--boundary` takes enough of them to tell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erf, exp, pi, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.measures.paired import paired_change  # noqa: E402
from core.measures.small_samples import mean_interval  # noqa: E402
from core.measures.statistics import (  # noqa: E402
    EFFECT,
    EQUIVALENT,
    Interval,
    verdict,
    wilson,
)
from core.study.mediation import Split, split  # noqa: E402

Array = NDArray[np.float64]
PARTS = ("total", "direct", "indirect", "total_indirect", "interaction")
SHORT = ("TE", "NDE", "NIE", "TIE", "INT", "NIE/TE", "TIE/TE")


@dataclass(frozen=True)
class Model:
    """A causal model in closed form.

    Attributes:
        outcome, latent: m(x, z) and z(x).
        truth: the population's (TE, NDE, NIE).
        error: sd of what is measured beside m.
        choice: m is a probability, and what is measured a choice drawn with it.
        emits: share of items that imagine; the others have no cross.
        together: questions on one picture, which share most of their x.
    """

    outcome: Callable[[Array, Array], Array]
    latent: Callable[[Array], Array]
    truth: tuple[float, float, float]
    error: float = 0.5
    choice: bool = False
    emits: float = 1.0
    together: int = 1

    @property
    def values(self) -> dict[str, float]:
        """Every part's true value."""
        te, nde, nie = self.truth
        return dict(zip(PARTS, (te, nde, nie, te - nde, te - nde - nie), strict=True))


def linear(share: float, **more: object) -> Model:
    """ℓ = α·z + (1 − α)·2x with z = 2x: TE = 2Δx, NIE = αTE, NDE = (1 − α)TE."""
    return Model(
        lambda x, z: share * z + (1 - share) * 2 * x,
        lambda x: 2 * x,
        (2.0, (1 - share) * 2.0, share * 2.0),
        **more,  # type: ignore[arg-type]
    )


def _above(mean: float, sd: float) -> float:
    """P(N(mean, sd²) > 0)."""
    return 0.5 * (1 + erf(mean / sd / sqrt(2)))


# E max of N(0, 1) and N(1, 1): Φ(1/√2) + √2 φ(1/√2)
MORE = _above(1, sqrt(2)) + sqrt(2) * exp(-0.25) / sqrt(2 * pi)
MODELS = {
    **{f"linear {share:g}": linear(share) for share in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)},
    # x and x′ are independent, so E[x′x] = 0, E[x²] = 1, E[x′²] = 2
    "interaction": Model(lambda x, z: x + z + x * z, lambda x: x, (3.0, 0.0, 0.0)),
    "redundant": Model(lambda x, z: np.maximum(x, z), lambda x: x, (1.0, MORE, MORE)),
    "gated": Model(lambda x, z: x + z, lambda x: x, (2.0, 1.0, 1.0), emits=0.5),
    "sequential": Model(
        lambda x, z: z[..., -1], lambda x: np.stack([x, x, x], -1), (1.0, 0.0, 1.0)
    ),
    "collapsed but used": Model(
        lambda x, z: 1000 * (z - 5.0), lambda x: 5.0 + 0.001 * x, (1.0, 0.0, 1.0)
    ),
    "bypassed": Model(lambda x, z: 3 * x, lambda x: x, (3.0, 3.0, 0.0)),
    "four a picture": linear(0.25, together=4),
    "choices": Model(
        lambda x, z: np.where(z > 0.5, 0.45, 0.05) + np.where(x > 0.5, 0.4, 0.0),
        lambda x: x,
        tuple(  # type: ignore[arg-type]
            part * (_above(0.5, 1) - _above(-0.5, 1)) for part in (0.8, 0.4, 0.4)
        ),
        choice=True,
    ),
}


def cells_of(model: Model, seed: int, items: int) -> tuple[list[Array], list[str]]:
    """What one simulated study measures: its four cells, and the picture of each item."""
    draw = np.random.default_rng(seed)

    def inputs(mean: float) -> Array:
        groups = items // model.together
        shared = np.repeat(
            draw.normal(mean, sqrt(1 - 0.1 * (model.together > 1)), groups), model.together
        )
        return shared + (draw.normal(0, sqrt(0.1), items) if model.together > 1 else 0.0)

    x, other = inputs(0), inputs(1)
    own, changed = model.latent(x), model.latent(other)
    pairs = ((x, own), (other, changed), (other, own), (x, changed))
    cells = [model.outcome(*pair) for pair in pairs]
    if model.choice:
        # one threshold an item: its four runs share what makes it easy or hard
        level = draw.random(items)
        cells = [(level < cell).astype(np.float64) for cell in cells]
    else:
        cells = [cell + draw.normal(0, model.error, items) for cell in cells]
    silent = draw.random(items) >= model.emits
    cells = [np.where(silent, np.nan, cell) for cell in cells]
    clusters = [str(place // model.together) for place in range(items)]
    return cells, clusters


def study(model: Model, seed: int, items: int, resamples: int) -> tuple[Split, Interval]:
    """One simulated study: its split, and the interval NIE's equivalence is read from."""
    cells, clusters = cells_of(model, seed, items)
    found = split(*cells, clusters=clusters, resamples=resamples, seed=seed)
    return found, narrow(model, cells, clusters, resamples, seed)


def narrow(
    model: Model, cells: Sequence[Array], clusters: Sequence[str], resamples: int, seed: int
) -> Interval:
    """The 90 % interval of NIE, as a study makes it: choices are paired rates."""
    if model.choice:
        return paired_change(cells[0], cells[3], 0.9)
    return mean_interval(cells[3] - cells[0], clusters, 0.9, resamples, seed)


@dataclass
class Tally:
    """Counts over the studies of one model.

    Attributes:
        covered: studies with the truth inside, by part and of the shares mediated (NIE/TE as
            “pure”, TIE/TE as “whole”).
        shares: studies that gave a share.
        false_effect: studies that called an effect of 0 one, over all parts that are 0.
        false_equivalent: studies that called NIE equivalent to none within ±NIE.
    """

    covered: dict[str, int]
    shares: int = 0
    false_effect: int = 0
    false_equivalent: int = 0


def simulate(model: Model, studies: int, items: int, resamples: int) -> Tally:
    """Many studies of one model."""
    tally = Tally(dict.fromkeys((*PARTS, "pure", "whole"), 0))
    values = model.values
    for seed in range(studies):
        found, few = study(model, seed, items, resamples)
        for part, value in values.items():
            inside = value in getattr(found, part)
            tally.covered[part] += inside
            tally.false_effect += abs(value) < 1e-12 and not inside
        if found.pure.low == found.pure.low:
            tally.shares += 1
            tally.covered["pure"] += values["indirect"] / values["total"] in found.pure
            tally.covered["whole"] += values["total_indirect"] / values["total"] in found.whole
        if abs(values["indirect"]) > 1e-12:
            said = verdict(found.indirect, few, abs(values["indirect"]))
            tally.false_equivalent += said == EQUIVALENT
            assert said != EFFECT or 0.0 not in found.indirect
    return tally


def boundary(model: Model, studies: int, items: int, resamples: int) -> int:
    """Studies that call NIE equivalent to none within ±NIE."""
    margin, wrong = abs(model.values["indirect"]), 0
    for seed in range(studies):
        cells, clusters = cells_of(model, seed, items)
        few = narrow(model, cells, clusters, resamples, seed)
        wrong += verdict(few, few, margin) == EQUIVALENT
    return wrong


def row(name: str, model: Model, tally: Tally, studies: int) -> str:
    """One line of the table."""
    nothing = sum(abs(value) < 1e-12 for value in model.values.values())
    shares = [tally.covered[part] / studies for part in PARTS]
    if tally.shares:
        shares += [tally.covered[part] / tally.shares for part in ("pure", "whole")]
    cells = [f"{100 * value:6.1f}" for value in shares] + ["     –"] * (7 - len(shares))
    wrong = f"{100 * tally.false_effect / studies / nothing:6.1f}" if nothing else "     –"
    equal = f"{100 * tally.false_equivalent / studies:6.1f}" if model.truth[2] else "     –"
    return f"{name:20}{' '.join(cells)}   {wrong}   {equal}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--items", type=int, nargs="+", default=[80, 200])
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--boundary", type=int, metavar="STUDIES", help="the margin itself alone")
    options = parser.parse_args(arguments)
    for items in options.items:
        if options.boundary:
            print(f"\n{items} items, {options.boundary} studies: NIE = margin called equivalent, %")
            for name in options.models:
                if not MODELS[name].truth[2]:
                    continue
                wrong = boundary(MODELS[name], options.boundary, items, options.resamples)
                found = wilson(wrong, options.boundary)
                print(
                    f"{name:20}{100 * found.estimate:6.2f} "
                    f"({100 * found.low:.2f} to {100 * found.high:.2f})",
                    flush=True,
                )
            continue
        print(f"\n{items} items, {options.studies} studies: % of intervals that hold the truth")
        print(f"{'':20}{' '.join(f'{name:>6}' for name in SHORT)}   false effect, equivalent, %")
        for name in options.models:
            tally = simulate(MODELS[name], options.studies, items, options.resamples)
            print(row(name, MODELS[name], tally, options.studies), flush=True)


if __name__ == "__main__":
    main()
