"""Is the instrument sound on this model? Asked before anything is said about the model.

Software invariants come first, on runs of the study's own items: an identity edit changes
nothing to the bit, the prefix branches share stays as it was, an edit is seen where it was put,
and with every edge from the answer to the imagination cut nothing done to it can arrive. Then
the controls inside the model, read off the study's own rows: a changed picture must act (else
no null means anything), each edit with a dose must have changed the hidden state at its place,
and the identity arm must have changed no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from core.engine import Engine
from core.engine.selfcheck import selfcheck
from core.errors import ZscopeError
from core.records import Edit, Trace
from core.study.asking import ask
from core.study.design import Design
from core.study.effects import Effect
from core.study.items import StudyItem
from core.study.pairs import Pairs

PROBED = 3
"""Items whose runs the invariants are checked on."""


@dataclass(frozen=True)
class Check:
    """One check: its name, whether it passed, what was seen; ``needed`` for a verdict."""

    name: str
    passed: bool
    seen: str
    needed: bool = True

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return dict(vars(self))


def invariants(
    engine: Engine, items: Sequence[StudyItem], design: Design, cancel: Event | None = None
) -> list[Check]:
    """Software invariants on the first items that can be run, each check over all of them.

    Raises:
        Cancelled: it was stopped.
    """
    found: dict[str, list[tuple[bool, str]]] = {}
    for trace in _runs(engine, items, design, cancel):
        outcomes = selfcheck(engine, trace)
        if trace.emitted or trace.imagined is not None:
            outcomes.append(("cut edges carry nothing", *_cut(engine, trace)))
        for name, passed, seen in outcomes:
            if name != "a latent span":  # emission is a result, not an invariant
                found.setdefault(name, []).append((passed, seen))
        engine.store.forget(trace.id)
    if not found:
        return [Check("a run", False, "none of the first items could be run")]
    return [
        Check(
            name,
            all(passed for passed, _ in seen),
            next((what for passed, what in seen if not passed), seen[0][1]),
        )
        for name, seen in found.items()
    ]


def _runs(
    engine: Engine, items: Sequence[StudyItem], design: Design, cancel: Event | None
) -> list[Trace]:
    """Runs of the first items, one by one: their arithmetic is that of the checks."""
    made: list[Trace] = []
    for item in items[: 5 * PROBED]:
        try:
            picture = item.picture() if item.picture else None
        except Exception:  # reported with its row
            continue
        made += [
            one
            for one in ask(engine, [(picture, item.question)], cancel, design.options())
            if isinstance(one, Trace)
        ]
        if len(made) == PROBED:
            break
    return made


def _cut(engine: Engine, trace: Trace) -> tuple[bool, str]:
    """With no edge from answer to imagination, the strongest edit of it changes nothing."""
    try:
        cut = engine.branch(trace, [Edit("knockout", source="answer", target="latents")])
        if not cut.emitted:
            return True, "no latents, the sentence alone was cut off"
        edit = Edit("gaussian", dose=4.0, mode="cached")
        after = engine.branch(cut, [edit])
        same = after.token_ids == cut.token_ids
        first = cut.spans[0].stop + 1
        before, now = engine.logits(cut)[first:], engine.logits(after)[first:]
        change = float((now - before).abs().max()) if same and len(before) else 0.0
        engine.store.forget(cut.id, after.id)
    except ZscopeError as error:
        return False, str(error)
    limit = 1e-4 if trace.settings.dtype == "float32" else 0.1
    return same and change <= limit, f"max |Δlogit| = {change:g} under ε = 4"


def controls(pairs: Mapping[str, Pairs], effects: Mapping[str, Effect], dtype: str) -> list[Check]:
    """Controls inside the model, from the rows of the arms that are there for them."""
    found: list[Check] = []
    for name, effect in effects.items():
        if effect.role == "identity" and effect.items:
            moved, worst = _largest(pairs[name])
            limit = 1e-3 if dtype == "float32" else 0.5
            found.append(
                Check(
                    f"arm “{name}” changes nothing",
                    moved == 0 and worst <= limit,
                    f"{moved} of {effect.items} choices changed, max |Δ score| = {worst:.1e} nats",
                )
            )
    acting = [e for e in effects.values() if e.role == "input" and e.declared and e.items]
    for effect in acting:
        lowest = effect.flips.low
        found.append(
            Check(
                f"arm “{effect.arm}” acts",
                lowest > 0,
                f"{effect.flips.estimate:.1%} of answers change "
                f"({effect.flips.low:.1%} to {effect.flips.high:.1%}, {effect.items} items)",
            )
        )
    if not acting:
        found.append(Check("a changed input acts", False, "no arm changes the input"))
    dosed = [
        effect
        for effect in effects.values()
        if effect.locus == "content" and effect.dose.get("epsilon", 0.0) > 1e-6
    ]
    if dosed:
        least = min(
            e.dose["least hidden"]
            for e in dosed
            if e.dose["least hidden"] == e.dose["least hidden"]
        )
        found.append(
            Check(
                "every content edit arrived",
                least > 0,
                f"least change of a hidden state at an edited place: {least:.1e}",
            )
        )
    for effect in effects.values():
        if effect.role == "sham" and effect.items:
            found.append(
                Check(
                    f"sham “{effect.arm}”",
                    effect.verdict != "effect",
                    f"{effect.flips.estimate:.1%} of answers change at ε = "
                    f"{effect.dose.get('epsilon', float('nan')):.2f}",
                    needed=False,
                )
            )
    return found


def _largest(pairs: Pairs) -> tuple[int, float]:
    """Choices that changed, and the largest change of a score."""
    moved = int(sum(value > 0 for value in pairs.flipped()))
    worst = 0.0
    for pair in pairs.pairs:
        for option, score in pair.base["scores"].items():
            worst = max(worst, abs(pair.row["scores"].get(option, score) - score))
    return moved, worst


def passed(checks: Sequence[Check]) -> bool:
    """Whether everything a verdict needs was seen."""
    return all(check.passed for check in checks if check.needed)
