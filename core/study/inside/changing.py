"""One run changed in one place at a time: each step, exit, edge, slot, and each pair of steps.

The points are those of the Sweep of a single run (:mod:`core.study.wishes`), so that the study
says of many items what the Sweep says of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from threading import Event
from typing import Any

from core.engine import Engine
from core.errors import Cancelled, ZscopeError
from core.measures.outcome import logit_difference, token_kl
from core.records import Edit, Trace
from core.study import wishes
from core.study.asking import branch
from core.study.items import StudyItem
from core.study.sweep import finished, sweep

NAN = float("nan")
MOST_WINDOWS = 8
"""Windows of neighbouring layers at most; a deeper model has wider ones."""
DOSE = 1.0
"""Of the Gaussian edit of a single step, in the latent's own length."""
CHUNK = 64

Point = dict[str, Any]


def change_run(
    engine: Engine,
    item: StudyItem,
    trace: Trace,
    donor: Trace | None,
    expected: str | None,
    seed: int,
    cancel: Event | None = None,
) -> list[Point]:
    """Every point of one item's run.

    A point has ``series`` (“step”, “sham”, “exit”, “patch”, or an edge “answer → image”),
    where it was made (``step``, ``mode``, ``layers`` as [first, stop), ``count``) and what came
    of it: ``flipped``, ``right``, ``choice``, ``kl`` and ``token`` (KL over the options and over
    the answer's words, nats), ``ld`` and ``p`` (logit difference and probability of the base's
    choice), ``d_ld`` and ``d_p`` (its change, and its relative change), and for a patch
    ``toward``: the change of ℓ(donor's answer) − ℓ(own), nats, and ``follows``.

    Args:
        donor: a run with another answer, as many latents at least, or None for no patches.
        expected: the answer that follows the donor.

    Raises:
        Cancelled: it was stopped.
    """
    count, layers = len(trace.spans[0]), engine.passes.layers
    width = -(-layers // MOST_WINDOWS)
    wanted = [
        *wishes.steps("gaussian", DOSE, count, 1, seed=seed),
        *wishes.exits(count),
        *wishes.knockouts(layers, width, stride=width),
    ]
    if donor is not None and expected is not None and len(donor.spans[0]) >= count:
        wanted += wishes.patches(donor, count, layers, width, stride=width)
    made = finished(sweep(engine, trace, wanted, item.options, cancel, CHUNK))
    if made.stopped:
        raise Cancelled("The study was stopped; what is finished is kept.")
    own, scores = made.base.choice, made.base.scores
    before = NAN
    if own is not None and len(scores) > 1:
        before = logit_difference(scores, own)
    probability = _shares(scores).get(own or "", NAN)
    points = []
    for point in made.points:
        read, wish = point.reading, point.wish
        points.append(
            {
                "series": "step" if wish.series == wishes.LATENTS else wish.series,
                "step": wish.step,
                "mode": wish.mode,
                "layers": list(wish.layers) if wish.layers else [],
                "count": wish.count,
                "flipped": read.flipped,
                "right": bool(read.choice) and item.judge(read.choice or ""),
                "choice": read.choice or "",
                "kl": read.kl,
                "token": read.token_kl,
                "ld": read.logit_difference,
                "d_ld": read.logit_difference - before,
                "p": read.probability,
                "d_p": (read.probability - probability) / probability if probability else NAN,
                "toward": _toward(scores, read.scores, expected, own),
                "follows": expected is not None and read.choice == expected,
            }
        )
    return points


def influence_of(
    engine: Engine, trace: Trace, seed: int, cancel: Event | None = None
) -> list[list[float]]:
    """Latent t changed, read after s latents: KL over the base's answer words, nats.

    Both runs are stopped after s latents, and only one of them had latent t changed (arXiv
    2602.08783); later latents follow from the changed one.

    Returns:
        (K, K + 1), NaN where s ≤ t (counted from 0, s latents are 0 … s − 1).
    """
    count = len(trace.spans[0])
    table = [[NAN] * (count + 1) for _ in range(count)]
    made: list[Trace] = []
    try:
        steps = branch(
            engine,
            [(trace, [Edit("gaussian", dose=DOSE, steps=[t], seed=seed)]) for t in range(count)],
            cancel,
        )
        made += [one for one in steps if isinstance(one, Trace)]
        roots: list[Trace | ZscopeError] = [trace, *steps]
        jobs = [
            (edited, stop, root)
            for edited, root in enumerate(roots, start=-1)
            if isinstance(root, Trace)
            for stop in range(max(1, edited + 1), count + 1)
            if len(root.spans[0]) >= stop
        ]
        cut = [(e, s, root) for e, s, root in jobs if s < len(root.spans[0])]
        short = branch(engine, [(root, [Edit("truncate", count=s)]) for _, s, root in cut], cancel)
        made += [one for one in short if isinstance(one, Trace)]
        runs = {(e, s): root for e, s, root in jobs if s == len(root.spans[0])}
        runs |= {
            (e, s): one for (e, s, _), one in zip(cut, short, strict=True) if isinstance(one, Trace)
        }
        places = list(runs)
        logits = dict(
            zip(places, engine.forced_logits([runs[p] for p in places], trace), strict=True)
        )
        for (edited, stop), found in logits.items():
            if edited >= 0 and (-1, stop) in logits:
                table[edited][stop] = float(token_kl(logits[-1, stop], found).mean())
    finally:
        engine.store.forget(*(one.id for one in made))
    return table


def _shares(scores: Any) -> dict[str, float]:
    top = max(scores.values(), default=0.0)
    weights = {option: math.exp(score - top) for option, score in scores.items()}
    total = sum(weights.values()) or 1.0
    return {option: weight / total for option, weight in weights.items()}


def _toward(before: Any, after: Any, expected: str | None, own: str | None) -> float:
    """How much nearer the donor's answer came, nats."""
    wanted: Sequence[str | None] = (expected, own)
    if any(one is None or one not in before or one not in after for one in wanted):
        return NAN
    a, b = expected or "", own or ""
    return float((after[a] - after[b]) - (before[a] - before[b]))
