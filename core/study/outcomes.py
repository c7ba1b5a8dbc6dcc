"""What is written down of one run of a study: the answer, the scores, the dose, the health.

The primary outcome is the option with the highest log-probability after the run's own words
(no sampling, no parser); where an item has no options it is the answer that was parsed.
Nothing that depends on the clock is written, so that two studies of one design are the same
to the byte.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.errors import ZscopeError
from core.records import Receipt, Trace
from core.study.items import StudyItem
from core.study.rows import Row

DIGITS = 6
LONGEST_TEXT = 400


def outcome(
    item: StudyItem,
    trace: Trace,
    scored: Mapping[str, float] | ZscopeError | None,
    lead: str | None = None,
    receipts: Sequence[Receipt] = (),
) -> Row:
    """The outcome of ``trace`` as JSON values.

    Args:
        item: the item of the *base*: its options are scored and its answer is the right one.
        scored: the options' log-probabilities, why there are none, or None without options.
        lead: the words the options were scored behind where they are not the run's own; then
            the choice is the answer too, for the run itself went on otherwise.
        receipts: of every edit that led to ``trace``, span after span.
    """
    scores = dict(scored) if isinstance(scored, Mapping) else {}
    unscored = str(scored) if isinstance(scored, ZscopeError) else None
    choice = max(scores, key=lambda option: scores[option]) if scores else trace.answer
    answer = trace.answer if lead is None else choice
    row: Row = {
        "answer": answer,
        "choice": choice,
        "right": bool(choice) and item.judge(choice or ""),
        "said right": bool(answer) and item.judge(answer or ""),
        "scores": {option: _round(score) for option, score in scores.items()},
        "text": (trace.text if lead is None else lead)[:LONGEST_TEXT],
        "ended": trace.ended_by,
        "length": len(trace.token_ids),
        "latents": [len(span) for span in trace.spans],
        "imagined": trace.emitted or trace.imagined is not None,
        "repeats": repeats(trace),
    }
    problem = (trace.answer_problem if lead is None else None) or unscored
    if problem:
        row["problem"] = problem
    if receipts:
        row["receipts"] = [
            {
                "kind": receipt.kind,
                "epsilon": _round(receipt.epsilon),
                "cosine": _round(receipt.cosine),
                "least": _round(min((d.epsilon for d in receipt.doses), default=0.0)),
                "hidden": _maybe(receipt.hidden_change),
                "percentile": _maybe(receipt.percentile),
                "note": receipt.note,
            }
            for receipt in receipts
        ]
    return row


def moved(base: Trace, trace: Trace) -> float | None:
    """How far another input moves the latents: mean ‖z′ − z‖ / ‖z‖ over the steps both have."""
    if not base.spans or not trace.spans:
        return None
    z, other = base.spans[0].latents, trace.spans[0].latents
    steps = min(len(z), len(other))
    if not steps:
        return None
    apart = (other[:steps] - z[:steps]).norm(dim=1) / z[:steps].norm(dim=1).clamp_min(1e-12)
    return _round(float(apart.mean()))


def repeats(trace: Trace, longest: int = 4, times: int = 4) -> bool:
    """Whether the words end in the same few tokens over and over."""
    latent = trace.is_latent
    words = [t for t, inside in zip(trace.token_ids, latent, strict=True) if not inside]
    return any(_looped(words, period, times) for period in range(1, longest + 1))


def _looped(words: Sequence[int], period: int, times: int) -> bool:
    need = max(period * times, 8)
    tail = words[-need:]
    return len(tail) == need and all(a == b for a, b in zip(tail, tail[period:], strict=False))


def _round(value: float) -> float:
    """Few enough digits to be the same on every machine of a kind; JSON has no infinity."""
    return round(value, DIGITS) if math.isfinite(value) else math.copysign(1e9, value)


def _maybe(value: float | None) -> float | None:
    return None if value is None else _round(value)
