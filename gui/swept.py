"""The figures of a sweep. Each carries its caption: model, question, run, K, mode, edit, draws and
seeds, so that a saved copy says what it shows.
"""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

from gui.figures.profile import Exit, exits_figure, profile_figure
from gui.figures.response import response_figure
from gui.figures.windows import knockout_figure, patch_figure
from gui.steps import format_steps, parse_steps
from gui.sweeping import KINDS, Asked, Subject, parse_doses, step_dose

if TYPE_CHECKING:
    from core.measures.response import Reading
    from core.study.sweep import Sweep


def figure(name: str, asked: Asked, about: Subject, sweep: Sweep) -> dict[str, Any] | None:
    """A figure of a sweep so far; None while there is nothing to draw."""
    if not sweep.points:
        return None
    make = {
        "doses": _doses, "steps": _steps, "exits": _exits, "edges": _edges, "slots": _slots,
    }  # fmt: skip
    return make[name](asked, about, sweep)


NARROW = 66  # characters of a caption's line under a figure of half the width


def caption(about: Subject, sweep: Sweep, *more: str, wide: int = 140) -> str:
    """The lines under a figure, ``wide`` characters each, escaped."""
    question = about.trace.prompt.question
    question = question if len(question) <= 60 else question[:59] + "…"
    settings = about.trace.settings
    first = [
        f"{about.model}, K = {about.count}", f"“{question}”",
        f"{about.title}: {about.trace.answer or 'no answer read'}",
        f"run seed {settings.seed}, temperature {settings.temperature:g}",
    ]  # fmt: skip
    unfinished = f"stopped after {sweep.done} of {sweep.total} branches" if sweep.stopped else ""
    lines = [" · ".join(first), *more, unfinished]
    return "<br>".join(escape(part) for line in lines for part in textwrap.wrap(line, wide))


def _edit(asked: Asked, about: Subject) -> str:
    steps = parse_steps(asked.steps or "", about.count)
    where = "all latents" if steps is None else f"z{format_steps(steps)}"
    return f"{KINDS[asked.kind].lower()} at {where}, mode {asked.mode}"


def _draws(asked: Asked) -> str:
    last = asked.seed + asked.draws - 1
    seeds = f"seed {asked.seed}" if asked.draws == 1 else f"seeds {asked.seed}–{last}"
    return f"{asked.draws} draws ({seeds}), bars: 95 % over draws of this one run"


def _quantities(about: Subject) -> dict[str, Any]:
    flip = {"flip rate": lambda r: float(r.flipped)}
    if about.options:
        return flip | {
            "probability of the answer": lambda r: r.probability,
            "logit difference, nats": lambda r: r.logit_difference,
            "KL of the options, nats": lambda r: r.kl,
        }
    return flip | {
        "probability of the answer's words": lambda r: r.probability,
        "KL per answer word, nats": lambda r: r.token_kl,
        "ΔNLL per answer word, nats": lambda r: r.nll,
    }


def base_reading(sweep: Sweep) -> Reading:
    """The run read against itself."""
    from core.measures.response import reading

    return reading(sweep.base, sweep.base)


def _doses(asked: Asked, about: Subject, sweep: Sweep) -> dict[str, Any]:
    from core.measures.response import levels, potency, responses

    tried = {
        s: [(p.wish.dose, p.epsilon, p.wish.draw, p.reading) for p in sweep.of(s)]
        for s in sweep.series
    }
    base = base_reading(sweep)
    quantities = _quantities(about)
    panels = {
        name: {
            s: levels(responses(rows, value), rate=name == "flip rate") for s, rows in tried.items()
        }
        for name, value in quantities.items()
    }
    flips = {s: responses(rows, lambda r: float(r.flipped)) for s, rows in tried.items()}
    half = {s: potency(rows) for s, rows in flips.items()}
    said = [f"{NAMES[asked.kind].get(s, s)}: {p}" for s, p in half.items() if p.tried]
    lines = [
        f"{_edit(asked, about)} · {_draws(asked)}",
        *said,
    ]
    if "picture swapped" in tried:
        lines.append("the picture is swapped part of the way to another's tokens, mode propagate")
    return response_figure(
        panels,
        {name: value(base) for name, value in quantities.items() if name != "flip rate"},
        caption(about, sweep, *lines),
        {s: p.epsilon for s, p in half.items() if p.reached},
        NAMES[asked.kind],
    )


NAMES = {
    "gaussian": {"latents": "latents, random direction", "sham": "sham: words of the system text"},
    "steer": {
        "latents": "latents, toward others'",
        "random direction": "latents, matched random direction",
        "sham": "sham: words of the system text",
    },
}


def _steps(asked: Asked, about: Subject, sweep: Sweep) -> dict[str, Any]:
    from core.measures.resampling import bootstrap_mean
    from core.records.edit import MODES

    with_options = bool(about.options)
    quantity = "KL of the options, nats" if with_options else "KL per answer word, nats"

    def value(point: Any) -> float:
        return float(point.reading.kl if with_options else point.reading.token_kl)

    def means(points: list[Any]) -> dict[int, Any]:
        by_step: dict[int, list[float]] = {}
        for point in points:
            by_step.setdefault(point.wish.step, []).append(value(point))
        return {s: bootstrap_mean(v, resamples=2000) for s, v in by_step.items()}

    latents = sweep.of("latents")
    modes = {m: means([p for p in latents if p.wish.mode == m]) for m in MODES}
    meaning = (
        "pinned: later inputs held; cached: later keys and values too; sham: a word of the prompt"
    )
    dose = step_dose(parse_doses(asked.doses))
    line = f"{KINDS[asked.kind].lower()}, dose {dose:g}, one latent at a time · {_draws(asked)}"
    told = caption(about, sweep, f"{line} · propagate: total step effect; {meaning}", wide=NARROW)
    return profile_figure(modes, means(sweep.of("sham")), quantity, told)


def _exits(asked: Asked, about: Subject, sweep: Sweep) -> dict[str, Any]:
    exits = [
        Exit(
            p.wish.count,
            escape(p.reading.choice or "none"),
            p.reading.probability,
            not p.reading.flipped,
        )
        for p in sweep.points
    ]
    first = next((e.count for e in sorted(exits, key=lambda e: e.count) if e.same), None)
    there = "never" if first is None else f"first after {first} of {about.count} latents"
    what = "among the options" if about.options else "of its words"
    return exits_figure(
        sorted(exits, key=lambda e: e.count),
        "probability of the answer",
        caption(
            about, sweep,
            f"the full run's answer (full marks) is there {there} · 0: markers alone, no latent · "
            f"probability {what}", wide=NARROW,
        ),
    )  # fmt: skip


def _edges(asked: Asked, about: Subject, sweep: Sweep) -> dict[str, Any]:
    from core.measures.response import relative_change

    base = base_reading(sweep).probability
    edges: dict[str, dict[tuple[int, int], float]] = {}
    for point in sweep.points:
        assert point.wish.layers is not None  # every knockout has a window
        found = edges.setdefault(point.wish.series, {})
        found[point.wish.layers] = relative_change(point.reading.probability, base)
    what = "among the options" if about.options else "of its words"
    return knockout_figure(
        edges,
        about.layers,
        "(p′ − p) / p",
        caption(
            about, sweep,
            f"p {base:.3g}: probability of the answer {what} · windows of {_wide(asked, about)} · "
            "attention along the edge cut, all else recomputed", wide=NARROW,
        ),
    )  # fmt: skip


def _wide(asked: Asked, about: Subject) -> str:
    width = min(asked.width, about.layers)
    return f"{width} layer" + ("s" if width > 1 else "")


def _slots(asked: Asked, about: Subject, sweep: Sweep) -> dict[str, Any]:
    donor = about.donor.answer if about.donor is not None else None
    own = sweep.base.choice
    scored = sweep.base.scores
    signed = donor in scored and own in scored and donor != own
    values, hover = {}, {}
    for point in sweep.points:
        assert point.wish.layers is not None  # every patch has a window
        key = point.wish.layers, point.wish.step
        now = point.reading.scores
        if signed:
            values[key] = (now[donor] - now[own]) - (scored[donor] - scored[own])
        else:
            values[key] = point.reading.token_kl
        where = "all slots" if point.wish.step < 0 else f"slot z{point.wish.step + 1}"
        window = f"layers {key[0][0] + 1}–{key[0][1]}"
        hover[key] = (
            f"{where}, {window}: {values[key]:.3g} nats<br>"
            f"answer {escape(point.reading.choice or 'none')}"
        )
    giver = f"{about.donor_title} ({donor or 'no answer read'})"
    quantity = "Δ(ℓ donor's − ℓ own), nats" if signed else "KL per answer word, nats"
    if signed:
        line = f"keys and values of {giver}, mode cached · above 0: toward “{donor}”"
    else:
        line = f"keys and values of {giver}, mode cached"
    return patch_figure(
        values, hover, about.layers, quantity,
        caption(about, sweep, f"{line} · windows of {_wide(asked, about)}", wide=NARROW), signed,
    )  # fmt: skip
