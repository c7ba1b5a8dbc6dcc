"""What an intervention did to the answer: base b against intervened d (methodology, part (c)).

Scores of options are log-probabilities in nats, as ``engine.score`` gives them. They are of
whole answers and need not sum to 1 over the options; *renormalised* means a softmax over them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import InputError

Scores = Mapping[str, float]
FLOWS = ("R→R", "R→W", "W→R", "W→W", "W→W′")


def same_answer(a: str | None, b: str | None) -> bool:
    """Equal up to case and outer white space; two answers that could not be read are equal."""
    if a is None or b is None:
        return a is b
    return a.strip().casefold() == b.strip().casefold()


@dataclass(frozen=True)
class Flips:
    """How answers moved between right and wrong.

    Attributes:
        counts: items by flow. R→R, R→W, W→R; W→W the same wrong answer, W→W′ another one.
        items: n.
    """

    counts: dict[str, int]
    items: int

    @property
    def rate(self) -> float:
        """Gross flip rate, the share of items whose answer changed (Y2), in [0, 1]."""
        changed = self.counts["R→W"] + self.counts["W→R"] + self.counts["W→W′"]
        return changed / self.items if self.items else float("nan")

    @property
    def difference(self) -> float:
        """ΔAccuracy = (W→R − R→W) / n (Y1), in [−1, 1]."""
        net = self.counts["W→R"] - self.counts["R→W"]
        return net / self.items if self.items else float("nan")


def flips(
    base: Sequence[str | None],
    edited: Sequence[str | None],
    gold: Sequence[str],
    same: Callable[[str | None, str | None], bool] = same_answer,
) -> Flips:
    """Compare two sets of answers to the same questions.

    Args:
        base, edited: parsed answers; None where none could be read, which counts as wrong.
        gold: the right ones.
        same: when two answers are the same; a family's scorer can be put in.
    """
    if not len(base) == len(edited) == len(gold):
        raise InputError(
            f"There are {len(base)} base answers, {len(edited)} edited and {len(gold)} right ones."
        )
    counts = dict.fromkeys(FLOWS, 0)
    for before, after, right in zip(base, edited, gold, strict=True):
        was, now = same(before, right), same(after, right)
        flow = ("R" if was else "W") + "→" + ("R" if now else "W")
        if flow == "W→W" and not same(before, after):
            flow = "W→W′"
        counts[flow] += 1
    return Flips(counts, len(gold))


def logit_difference(scores: Scores, gold: str) -> float:
    """ℓ(gold) − logmeanexp_{o ≠ gold} ℓ(o), in nats (Y5).

    0 when gold is as likely as the others are on average. Any constant added to all scores
    drops out.

    Raises:
        InputError: gold is not among the options, or is the only one.
    """
    others = [score for option, score in scores.items() if option != gold]
    if gold not in scores or not others:
        raise InputError(
            f"The logit difference needs “{gold}” and at least one other option with a score."
        )
    rest = torch.tensor(others, dtype=torch.float64).logsumexp(0) - math.log(len(others))
    return scores[gold] - float(rest)


def renormalised(scores: Scores) -> dict[str, float]:
    """The options' probabilities among themselves: they sum to 1."""
    if not scores:
        return {}
    values = torch.tensor(list(scores.values()), dtype=torch.float64).softmax(0)
    return dict(zip(scores, values.tolist(), strict=True))


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """½ Σ |p − q| over the last axis, in [0, 1]."""
    return 0.5 * (p - q).abs().sum(-1)


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Σ p log(p / q) over the last axis, in nats, [0, ∞]; 0 · log 0 = 0."""
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1).clamp(min=0)


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """½ KL(p‖m) + ½ KL(q‖m), m the mean of the two, in nats, [0, ln 2]."""
    middle = (p + q) / 2
    mixed = (kl_divergence(p, middle) + kl_divergence(q, middle)) / 2
    return mixed.clamp(max=math.log(2))


@dataclass(frozen=True)
class OptionShift:
    """How far the distribution over the options moved (Y8).

    Attributes:
        total_variation: in [0, 1].
        jensen_shannon: nats, in [0, ln 2].
        kl: KL(base ‖ edited), nats, in [0, ∞].
    """

    total_variation: float
    jensen_shannon: float
    kl: float


def option_shift(base: Scores, edited: Scores) -> OptionShift:
    """Compare two scorings of the same options, each renormalised over them.

    Raises:
        InputError: the two were not asked about the same options.
    """
    if not base or base.keys() != edited.keys():
        raise InputError("Both runs must be scored on the same options to be compared.")
    p = torch.tensor([renormalised(base)[o] for o in base], dtype=torch.float64)
    q = torch.tensor([renormalised(edited)[o] for o in base], dtype=torch.float64)
    return OptionShift(
        float(total_variation(p, q)), float(jensen_shannon(p, q)), float(kl_divergence(p, q))
    )


def nll_change(base: Scores, edited: Scores, gold: str) -> float:
    """−log p_d(gold) + log p_b(gold), nats (Y7): above 0 the right answer became less likely."""
    if gold not in base or gold not in edited:
        raise InputError(f"“{gold}” was not scored in both runs.")
    return base[gold] - edited[gold]


def token_kl(base_logits: Tensor, edited_logits: Tensor) -> Tensor:
    """KL(base ‖ edited) of the next-token distributions at each answer token (Y9).

    Both are teacher-forced on the same tokens, so row u of both predicts the same place.

    Args:
        base_logits, edited_logits: raw logits (N, V).

    Returns:
        float32 (N,), nats; its mean is Y9.
    """
    if base_logits.shape != edited_logits.shape:
        raise InputError(
            "Token by token both runs must predict the same places: the logits have shapes "
            f"{tuple(base_logits.shape)} and {tuple(edited_logits.shape)}."
        )
    p, q = (t.double().log_softmax(-1) for t in (base_logits, edited_logits))
    # logits of −∞ (banned tokens) have probability 0 on both sides or make the KL infinite
    terms = torch.where(p == float("-inf"), torch.zeros_like(p), p.exp() * (p - q))
    return terms.sum(-1).clamp(min=0).float()


def recovery(patched: float, clean: float, corrupt: float, least: float = 1e-3) -> float:
    """(m_patched − m_corrupt) / (m_clean − m_corrupt) (Y6): 0 as corrupt, 1 as clean.

    NaN where clean and corrupt differ by less than ``least``: such items are masked, and a
    report says how many.
    """
    gap = clean - corrupt
    return (patched - corrupt) / gap if abs(gap) >= least else float("nan")
