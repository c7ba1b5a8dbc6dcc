"""Every arm against the base: what changed, at which dose, and whether it follows the donor."""

from __future__ import annotations

from collections.abc import Sequence

from core.study import charts, figures, heat
from core.study.behind import Numbers, digits, of_forest
from core.study.effects import LEAST_ITEMS, Effect
from core.study.html import absent, figure, interval, number, table
from core.study.intervals import NOTHING, share
from core.study.sankey import FLOWS, sankey
from core.study.study import Study


def effects(study: Study) -> str:
    """Every arm against the base (F3, F4, F5, F16)."""
    shown = [effect for effect in study.effects.values() if effect.items]
    if not shown:
        return ""
    margins = study.design.margins
    declared = [e for e in shown if e.declared]
    few, many = min(e.items for e in shown), max(e.items for e in shown)
    n = f"n = {many} items" if few == many else f"n = {few} to {many} items an arm"
    level = f"{100 * study.design.level:g} % intervals"
    drawn = [
        figure(
            figures.forest(
                [(e.arm, e.change, e.on_accuracy) for e in declared],
                margins.accuracy,
                "F3  Change of accuracy, points",
            ),
            f"F3 Change of accuracy against the base, points; {n}, {level} (Newcombe and Tango; "
            "bootstrap by picture where items share one). Shaded: the declared margin; right: the "
            "verdict on it alone.",
            of_forest(
                [(e.arm, e.change, e.on_accuracy) for e in declared], "points", 100, "verdict"
            ),
        ),
        figure(
            figures.forest(
                [(e.arm, e.flips, e.on_flips) for e in declared],
                margins.flips,
                "F3b  Answers that changed, %",
                unit="%",
                signed=False,
            ),
            f"F3b Answers that changed, %; {n}, {level} (Wilson; bootstrap by picture where items "
            "share one). Shaded: the declared margin; right: the verdict on changed answers alone.",
            of_forest([(e.arm, e.flips, e.on_flips) for e in declared], "%", 100, "verdict"),
        ),
        figure(
            figures.forest(
                [(e.arm, e.logit, e.on_logit) for e in declared],
                margins.logit,
                "F3c  Change of the right option's logit difference, nats",
                scale=1.0,
                unit="nats",
            ),
            f"F3c Change of the right option's logit difference, nats; {n}, {level} (bootstrap by "
            "picture). Shaded: the declared margin; right: the verdict on it alone.",
            of_forest([(e.arm, e.logit, e.on_logit) for e in declared], "nats", 1, "verdict"),
        ),
        figure(
            sankey([(e.arm, e.flows) for e in shown], "F4  How answers moved, items"),
            f"F4 How answers moved: right (R) or wrong (W) on the left before and on the right "
            f"after, W→W′ to another wrong answer; {n}, counts of the first draw, no interval.",
            (["arm", *FLOWS], [[e.arm, *(e.flows.get(f, 0) for f in FLOWS)] for e in shown]),
        ),
        _doses(study, shown)
        or absent("F5 (dose and response)", "this preset has no graded doses."),
        figure(
            charts.strip(
                [
                    (e.arm, e.dose["epsilon"], e.dose["percentile"])
                    for e in shown
                    if e.dose.get("percentile", float("nan")) == e.dose.get("percentile")
                ],
                "F16  How far from normal each edit goes",
            ),
            f"F16 Median percentile of the edited latents among clean ones (distance from their "
            f"mean), with the mean delivered ε; {n}, no interval. Shaded: beyond the 99th, off the "
            "manifold.",
            (
                ["arm", "ε", "median percentile"],
                [
                    [e.arm, digits(e.dose["epsilon"]), digits(e.dose["percentile"])]
                    for e in shown
                    if e.dose.get("percentile", float("nan")) == e.dose.get("percentile")
                ],
            ),
        )
        or absent("F16 (how far from normal)", "no arm edits latents that a bank says are normal."),
    ]
    return "<h2>Effects</h2>" + "".join(drawn) + _effects_table(shown) + _absent(study)


def _doses(study: Study, shown: Sequence[Effect]) -> str:
    """Dose and response, with the sham and the positive control on the same axes."""
    doses = sorted((e for e in shown if e.role == "dose"), key=lambda e: e.dose.get("epsilon", 0))
    if not doses:
        return ""
    lines = {"Gaussian noise": [(e.dose.get("epsilon", 0.0), e.flips) for e in doses]}
    for name, role in (("sham: same-answer swap", "sham"),):
        found = [(e.dose["epsilon"], e.flips) for e in shown if e.role == role and e.dose]
        if found:
            lines[name] = found
    swaps = [
        (e.dose["epsilon"], e.flips)
        for e in shown
        if e.role == "effect" and e.locus == "content" and e.arm.startswith("swap") and e.dose
    ]
    if swaps:
        lines["swap, other answer"] = swaps[:1]
    acting = next((e for e in shown if e.role == "input" and e.declared), None)
    beside = ""
    if acting is not None:
        # an edit of the picture has no ε; it stands over the whole axis
        ends = [min(d.dose["epsilon"] for d in doses), max(d.dose["epsilon"] for d in doses)]
        lines[f"positive control: {acting.arm}"] = [(end, acting.flips) for end in ends]
        beside = " The positive control has no ε and is drawn at both ends."
    return figure(
        figures.curves(
            lines, "F5  Dose and response", "delivered ε", "share of answers that change"
        ),
        f"F5 Share of answers that change against the delivered dose; n = {doses[0].items} items, "
        f"{100 * study.design.level:g} % intervals (Wilson, or bootstrap by picture).{beside}",
        (
            ["series", "delivered ε", "share", "low", "high"],
            [
                [name, digits(x), *(digits(v) for v in (i.estimate, i.low, i.high))]
                for name, line in lines.items()
                for x, i in line
            ],
        ),
    )


def _effects_table(shown: Sequence[Effect]) -> str:
    head = [
        "arm", "items", "verdict", "Δ accuracy", "answers changed", "follows donor", "Δ logit", "ε",
        "Δ accuracy, all items", "p (adjusted)", "detectable", "what is done",
    ]  # fmt: skip
    rows = [
        [
            effect.arm + ("" if effect.declared else " (exploratory)"),
            f"{effect.items}" + (f" (+{effect.silent} silent)" if effect.silent else ""),
            effect.verdict,
            interval(effect.change, 100),
            interval(effect.flips, 100, signed=False),
            interval(effect.follow, 100, signed=False),
            interval(effect.logit, 1, 2),
            number(effect.dose.get("epsilon")),
            interval(effect.intention, 100),
            number(effect.adjusted, 3),
            number(100 * effect.detectable, 1),
            effect.says,
        ]
        for effect in shown
    ]
    return table(head, rows)


def _absent(study: Study) -> str:
    absent = [
        [effect.arm, reason, count]
        for effect in study.effects.values()
        for reason, count in effect.skipped.items()
    ]
    return "<h3>Not applied</h3>" + table(["arm", "why", "items"], absent) if absent else ""


def donors(study: Study) -> str:
    """Who follows whom: the donor's answer by class of donor (F17)."""
    rows = []
    for effect in study.effects.values():
        asked = sum(value == value for value in study.pairs[effect.arm].follows().tolist())
        if asked >= LEAST_ITEMS and effect.locus in ("content", "slot"):
            rows.append((effect.arm, effect.follow, f"{asked} items"))
    title = "<h2>Does the answer follow the donor?</h2>"
    if not rows:
        why = f"fewer than {LEAST_ITEMS} items had a donor with another answer in any arm."
        return title + absent("F17 (following the donor)", why)
    level = f"{100 * study.design.level:g} % intervals (Wilson, or bootstrap by picture)"
    what = "Answers that become the donor's, %"
    drawn, numbers = _classes(study, [name for name, _, _ in rows])
    return (
        title
        + figure(
            drawn,
            f"F17 {what}, by class of donor and by task, of the items whose own answer is another; "
            f"n and {level} of each cell where it is pointed at and in the CSV; open: fewer than "
            f"{LEAST_ITEMS} items.",
            numbers,
        )
        + figure(
            figures.forest(rows, None, f"F17b  {what}", unit="%", signed=False),
            f"F17b The same over all tasks; n beside each, {level}.",
            of_forest(rows, "%", 100, "items"),
        )
    )


def _classes(study: Study, arms: Sequence[str]) -> tuple[str, Numbers]:
    """The matrix of F17: a class of donor a row, all items and each task a column."""
    base = study.pairs[study.design.arms[0].name].pairs
    tasks = sorted({str(pair.base["task"]) for pair in base})
    columns = ["all items", *(tasks if len(tasks) > 1 else [])]
    values, said, numbers = [], [], []
    for arm in arms:
        pairs = study.pairs[arm]
        follows, own = pairs.follows(), [str(pair.base["task"]) for pair in pairs.pairs]
        cells, words = [], []
        for column in columns:
            kept = [k for k, task in enumerate(own) if column in ("all items", task)]
            asked = [k for k in kept if follows[k] == follows[k]]
            found = NOTHING
            if len(asked) >= LEAST_ITEMS:
                names = [pairs.clusters[k] for k in asked]
                found = share(follows[asked], names, study.design.level, study.design)
                ends = (digits(100 * v) for v in (found.estimate, found.low, found.high))
                numbers.append([arm, column, len(asked), *ends])
            cells.append(100 * found.estimate)
            words.append(f"{interval(found, 100, signed=False)} %, {len(asked)} items")
        values.append(cells)
        said.append(words)
    drawn = heat.heat(
        values, list(arms), columns, "F17  Answers that become the donor's, %", "", "", "%",
        digits=0, said=said, left=250, cell=78, full=100.0,
    )  # fmt: skip
    return drawn, (["arm", "task", "items", "%", "low", "high"], numbers)
