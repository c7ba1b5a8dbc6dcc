"""How an answer responds to a dose: what each edited run says of the base's answer, curves over
the delivered dose, and the dose at which half of the draws turn.

The unit is the draw: one random direction, donor or other picture on one run. Intervals speak
of other draws on this run, never of other items; those take a study.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.measures.outcome import (
    logit_difference,
    option_shift,
    renormalised,
    same_answer,
    token_kl,
)
from core.measures.resampling import bootstrap_mean
from core.measures.statistics import Interval, wilson

NAN = float("nan")
RIDGE = 0.01
"""Penalty on the squared slope of the logistic fit, which keeps it finite when doses separate
turned from unturned draws perfectly."""


@dataclass(frozen=True, eq=False)
class Said:
    """What one run said, as far as two runs are compared.

    Attributes:
        answer: parsed, or None.
        scores: option → log-probability; empty without options.
        words: ids (n,) of the base's answer words.
        logits: (n, V), teacher-forced on these words; None where there are none.
    """

    answer: str | None
    scores: Mapping[str, float]
    words: Sequence[int] = ()
    logits: Tensor | None = None

    @property
    def choice(self) -> str | None:
        """The likeliest option; without options the parsed answer."""
        if not self.scores:
            return self.answer
        return max(self.scores, key=lambda option: self.scores[option])

    @property
    def word_logprobs(self) -> Tensor:
        """Log-probability of each of the base's answer words, float64 (n,)."""
        if self.logits is None or not len(self.words):
            return torch.zeros(0, dtype=torch.float64)
        table = self.logits.double().log_softmax(-1)
        return table.gather(-1, torch.tensor(list(self.words))[:, None])[:, 0]


@dataclass(frozen=True)
class Reading:
    """An edited run against its base; NaN where there are no options, or no words.

    Attributes:
        choice: the likeliest option, or the parsed answer.
        flipped: it is another one than the base's.
        probability: of the base's choice among the options; without options that of the base's
            answer words, teacher-forced. In [0, 1].
        logit_difference: ℓ(the base's choice) − logmeanexp of the others, nats (Y5).
        kl: KL(base ‖ edited) over the options, nats (Y8).
        token_kl: mean KL(base ‖ edited) over the base's answer words, nats (Y9).
        nll: mean change of the NLL of the base's answer words, nats a word (Y7).
        scores: option → log-probability.
    """

    choice: str | None
    flipped: bool
    probability: float
    logit_difference: float
    kl: float
    token_kl: float
    nll: float
    scores: Mapping[str, float] = field(default_factory=dict)


def reading(base: Said, edited: Said) -> Reading:
    """Read an edited run against its base, both scored on the same options and words."""
    wanted = base.choice
    flipped = not same_answer(edited.choice, wanted)
    before, after = base.word_logprobs, edited.word_logprobs
    probability = float(after.sum().exp()) if len(after) else NAN
    difference = kl = NAN
    if edited.scores and wanted is not None and base.scores:
        probability = renormalised(edited.scores)[wanted]
        kl = option_shift(base.scores, edited.scores).kl
        if len(edited.scores) > 1:
            difference = logit_difference(edited.scores, wanted)
    moved = nll = NAN
    if base.logits is not None and edited.logits is not None and len(before):
        moved = float(token_kl(base.logits, edited.logits).mean())
        nll = float((before - after).mean())
    scores = dict(edited.scores)
    return Reading(edited.choice, flipped, probability, difference, kl, moved, nll, scores)


@dataclass(frozen=True)
class Response:
    """One draw at one dose: where it lies on the axis and what came of it."""

    dose: float
    epsilon: float
    draw: int
    value: float


@dataclass(frozen=True)
class Level:
    """All draws at one asked dose.

    Attributes:
        dose: as asked.
        epsilon: mean delivered dose.
        value: mean over the draws; of a rate Wilson's 95 % interval, else a BCa bootstrap over
            the draws (NaN ends with fewer than two).
        draws: how many.
    """

    dose: float
    epsilon: float
    value: Interval
    draws: int


def levels(responses: Sequence[Response], rate: bool = False, seed: int = 0) -> list[Level]:
    """The draws of each asked dose together, by delivered dose; NaN values are left out.

    Args:
        responses: draws of one series.
        rate: values are 0 or 1.
        seed: of the bootstrap.
    """
    by_dose: dict[float, list[Response]] = {}
    for one in responses:
        if math.isfinite(one.value) and math.isfinite(one.epsilon):
            by_dose.setdefault(one.dose, []).append(one)
    out = []
    for dose, some in by_dose.items():
        values = [one.value for one in some]
        interval = (
            wilson(round(sum(values)), len(values))
            if rate
            else bootstrap_mean(values, resamples=2000, seed=seed)
        )
        epsilon = sum(one.epsilon for one in some) / len(some)
        out.append(Level(dose, epsilon, interval, len(some)))
    return sorted(out, key=lambda level: level.epsilon)


@dataclass(frozen=True)
class Potency:
    """ε50: the delivered dose at which half of the draws turn (Y14).

    Attributes:
        epsilon: the estimate; infinite where it is not reached, NaN without draws.
        low, high: percentile bootstrap interval over the draws, 95 %; infinite likewise, NaN
            with fewer than two draws.
        lowest, highest: the range of delivered doses tried, 0 left out.
        turned, tried: draws that turned at the highest dose, of how many.
    """

    epsilon: float
    low: float
    high: float
    lowest: float
    highest: float
    turned: int
    tried: int

    @property
    def reached(self) -> bool:
        """Whether half of the draws turn somewhere in the range tried."""
        return math.isfinite(self.epsilon)

    def __str__(self) -> str:
        if not self.tried:
            return "ε50 unknown: no dose was tried"
        if not self.reached:
            return (
                f"ε50 not reached below ε = {self.highest:.3g} "
                f"({self.turned} of {self.tried} draws turned there)"
            )
        end = f"above {self.highest:.3g}" if math.isinf(self.high) else f"{self.high:.2f}"
        interval = "" if math.isnan(self.low) else f" (95 % over draws: {self.low:.2f} to {end})"
        if self.epsilon <= self.lowest:
            return f"ε50 at or below the lowest dose tried, ε = {self.lowest:.2g}{interval}"
        return f"ε50 = {self.epsilon:.2f}{interval}"


def potency(responses: Sequence[Response], resamples: int = 1000, seed: int = 0) -> Potency:
    """ε50 of flips (values 0 or 1) with a bootstrap interval over draws.

    P(turned) = σ(a + b log ε), fitted by maximum likelihood with a small ridge on b; ε50 =
    exp(−a / b). It counts as not reached where the fit puts it above the highest dose tried,
    and is given as the lowest dose where the fit puts it below that. Whole draws (a direction
    with all its doses) are resampled.
    """
    kept = [r for r in responses if r.epsilon > 0 and math.isfinite(r.epsilon)]
    if not kept:
        return Potency(NAN, NAN, NAN, NAN, NAN, 0, 0)
    x = np.log([r.epsilon for r in kept])
    y = np.array([r.value for r in kept], np.float64)
    names = sorted({r.draw for r in kept})
    owner = np.array([names.index(r.draw) for r in kept])
    top = max(r.dose for r in kept)
    at_top = [r.value for r in kept if r.dose == top]
    estimate = float(_half(x, y, np.ones((1, len(y))))[0])
    low = high = NAN
    if len(names) > 1:
        draws = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
        counts = np.stack([(draws == name).sum(1) for name in range(len(names))], axis=1)
        found = _half(x, y, counts[:, owner].astype(np.float64))
        low, high = (float(np.quantile(found, q, method="inverted_cdf")) for q in (0.025, 0.975))
    ends = float(np.exp(x.min())), float(np.exp(x.max()))
    return Potency(estimate, low, high, *ends, round(sum(at_top)), len(at_top))


def _half(x: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray:
    """ε50 of each row of weights (B, n): in [lowest, highest], or infinite."""
    middle = x.mean()
    z = x - middle
    a, b = np.zeros(len(w)), np.zeros(len(w))
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(a[:, None] + b[:, None] * z, -30, 30)))
        error, weight = w * (y - p), w * np.maximum(p * (1 - p), 1e-9)
        g0, g1 = error.sum(1), (error * z).sum(1) - RIDGE * b
        h00, h01 = weight.sum(1), (weight * z).sum(1)
        h11 = (weight * z * z).sum(1) + RIDGE
        det = np.maximum(h00 * h11 - h01 * h01, 1e-12)
        da, db = (h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det
        length = np.maximum(1.0, np.hypot(da, db) / 2)  # a long Newton step would overshoot
        a, b = a + da / length, b + db / length
    rate = (w * y).sum(1) / w.sum(1)
    rising = b > 1e-6
    log_half = np.where(rising, middle - a / np.where(rising, b, 1.0), 0.0)
    log_half = np.where(rising, log_half, np.where(rate < 0.5, np.inf, -np.inf))
    log_half = np.where(rate == 0, np.inf, np.where(rate == 1, -np.inf, log_half))
    log_half = np.where(log_half > x.max() + 1e-9, np.inf, np.maximum(log_half, x.min()))
    return np.asarray(np.exp(log_half))


def responses(
    readings: Sequence[tuple[float, float, int, Reading]], value: Callable[[Reading], float]
) -> list[Response]:
    """(asked dose, delivered dose, draw, reading) as responses of one quantity."""
    return [Response(dose, eps, draw, value(one)) for dose, eps, draw, one in readings]


def relative_change(probability: float, base: float) -> float:
    """(p_ko − p) / p of a knockout (Geva et al. 2023); NaN where p is 0."""
    return (probability - base) / base if base > 0 else NAN
