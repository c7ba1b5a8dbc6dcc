"""Similarity as the Atlas shows it: within a run, before and after an edit, and across items."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gui.figures.look import sentence_figure
from gui.figures.matrix import KIND_NAMES, Row, matrix_figure
from gui.figures.panels import collapse_figure, panels_figure

if TYPE_CHECKING:
    from torch import Tensor

    from core.measures.similarity import Reference
    from core.records import Trace
    from core.records.bank import Bank
    from gui.visits import Visit
    from gui.workshop import Workshop

WORDS = 24  # words beside a run's latents
ITEMS = 60  # items of a grid
NO_LATENTS = "This run has no latents to compare; force a span, or choose a model that has them."
NO_RUN = "Nothing was run yet; ask a question in the Studio first."
NO_WORDS = (
    "The corrected cosine needs the mean cosine of unrelated hidden states, which a bank of this "
    "model holds; build one above."
)
KIND_SAYS = {
    "raw": "cos(z, z′)",
    "centred": "cos(z − μ, z′ − μ), μ the mean of the step",
    "zscored": "cosine of (z − μ) / s, dimension by dimension",
    "corrected": "(cos − b) / (1 − b), b = {b:.2f} the mean cosine of different words of "
    "different items in the same layer",
}


@dataclass(frozen=True, eq=False)
class Normal:
    """What the bank says is normal: references for latents and words, b, and where from."""

    reference: Reference | None
    words: Reference | None
    unrelated: float | None


@lru_cache(maxsize=8)
def normal_of(bank: Bank | None) -> Normal:
    """The references a bank gives; all None without one."""
    if bank is None:
        return Normal(None, None, None)
    from core.measures.reference import bank_reference, words_cosine
    from core.measures.similarity import reference_of

    words = None
    if bank.words is not None:
        import torch

        flat = bank.words.flatten(0, 1)
        words = reference_of(flat[torch.isfinite(flat).all(-1)][:, None])
    return Normal(bank_reference(bank), words, words_cosine(bank))


def within_figure(visit: Visit, workshop: Workshop, kind: str) -> dict[str, Any]:
    """Step × step of the shown run, words of its answer for reference."""
    trace = visit.edited or visit.baseline
    latents = latents_of(trace, visit.span)
    if latents is None or trace is None:
        return sentence_figure(NO_RUN if trace is None else NO_LATENTS)
    bank = bank_for(workshop, latents)
    normal = normal_of(bank)
    if kind == "corrected" and normal.unrelated is None:
        return sentence_figure(NO_WORDS)
    role = "after" if visit.edited is not None else "before"
    rows = [Row(f"z{k + 1}", role, visit.span, k) for k in range(len(latents))]
    names, states, missing = words_of(trace, workshop, visit)
    rows += [Row(name, "word") for name in names]
    values = _cosines(latents, latents, kind, normal, states)
    own = "this branch" if visit.edited is not None else "the baseline"
    caption = [
        f"Step × step of {own}: {says(kind, normal)}.{_from(bank, kind)}",
        missing or "Words are the answer's own, at the same layer.",
    ]
    return matrix_figure(rows, rows, values, kind, caption, visit.steps)


def between_figure(visit: Visit, workshop: Workshop, kind: str) -> dict[str, Any]:
    """Baseline × branch, the same step on the diagonal."""
    before, after = latents_of(visit.baseline, visit.span), latents_of(visit.edited, visit.span)
    if before is None:
        return sentence_figure(NO_RUN if visit.baseline is None else NO_LATENTS)
    if after is None:
        return sentence_figure("There is no branch to compare with; edit a latent in the Studio.")
    if before.shape[1] != after.shape[1]:
        return sentence_figure("These two runs have latents of different widths.")
    bank = bank_for(workshop, before)
    normal = normal_of(bank)
    if kind == "corrected" and normal.unrelated is None:
        return sentence_figure(NO_WORDS)
    rows = [Row(f"z{k + 1}", "before", visit.span, k) for k in range(len(before))]
    columns = [Row(f"z′{k + 1}", "after", visit.span, k) for k in range(len(after))]
    values = _cosines(before, after, kind, normal, None)
    caption = [f"Rows: baseline. Columns: branch. {says(kind, normal)}.{_from(bank, kind)}"]
    return matrix_figure(rows, columns, values, kind, caption, visit.steps, numbers=True)


def across_figures(
    visit: Visit, workshop: Workshop, kind: str, marked: set[str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The grid of one panel a step, and the collapse curve beside it."""
    from core.measures.collapse import collapse_curve, successive
    from core.measures.similarity import across_runs

    table, names, tasks, source = items_of(visit, workshop)
    if len(table) < 2:
        sentence = (
            "A grid needs the latents of two items or more; build a bank above, or open further "
            "examples in the Studio."
        )
        return sentence_figure(sentence), sentence_figure("No items yet, so no curve.")
    bank = getattr(workshop.engine, "bank", None)
    normal = normal_of(bank)
    if kind == "corrected" and normal.unrelated is None:
        return sentence_figure(NO_WORDS), sentence_figure(NO_WORDS)
    curve = collapse_curve(across_runs(table, kind, normal.reference))
    where = [n for n in range(len(names)) if names[n] in (marked or set())]
    grid = panels_figure(
        across_runs(table, kind, normal.reference).tolist(), names, tasks, kind,
        curve.mean.tolist(),
        [f"Item × item at each step, ordered by task: {says(kind, normal)}. {source}."], where,
    )  # fmt: skip
    line = None
    if bank is not None:
        from core.measures.reference import words_cosine

        line = words_cosine(bank, kind)
    own = latents_of(visit.edited or visit.baseline, visit.span)
    within = successive(own).tolist() if own is not None and kind == "raw" else []
    pairs = int(curve.pairs.max()) if len(curve.pairs) else 0
    caption = [f"Means over {pairs:,} pairs of different items; band: 10th to 90th percentile."]
    if line is None:
        caption.append("No words are kept with these latents, so there is no line for them.")
    collapse = collapse_figure(
        curve.mean.tolist(), curve.low.tolist(), curve.high.tolist(), line, kind, caption, within
    )
    return grid, collapse


def items_of(visit: Visit, workshop: Workshop) -> tuple[Tensor, list[str], list[str], str]:
    """Latents (N, K, D) of items ordered by task, their names and tasks, and where from."""
    import torch

    from core.measures.reference import evenly, panels_of
    from core.measures.similarity import table_of

    bank = getattr(workshop.engine, "bank", None)
    if bank is not None:
        rows, table = panels_of(bank, ITEMS)
        items = bank.items
        names = [items[r].id if items else f"item {r + 1}" for r in rows]
        tasks = [items[r].task if items else "" for r in rows]
        return table, names, tasks, f"{len(rows)} of the bank's {len(bank.latents)} items"
    runs = [(i, run) for i, run in workshop.example_runs() if run.spans]
    if not runs:
        return torch.zeros(0, 0, 0), [], [], "no items"
    order = evenly([str(workshop.items[i].task) for i, _ in runs], ITEMS)
    runs = [runs[place] for place in order]
    table = table_of([run.spans[0].latents for _, run in runs])
    names = [f"example {i + 1}" for i, _ in runs]
    tasks = [str(workshop.items[i].task) for i, _ in runs]
    return table, names, tasks, f"{len(runs)} examples run so far, no bank"


def latents_of(trace: Trace | None, span: int) -> Tensor | None:
    """The selected span's latents (K, D); None where there are none."""
    if trace is None or span >= len(trace.spans) or not len(trace.spans[span].latents):
        return None
    return trace.spans[span].latents


def bank_for(workshop: Workshop, latents: Tensor) -> Bank | None:
    """The model's bank, where its latents are as wide."""
    bank = getattr(workshop.engine, "bank", None)
    return bank if bank is not None and bank.latents.shape[-1] == latents.shape[-1] else None


def words_of(
    trace: Trace, workshop: Workshop, visit: Visit
) -> tuple[list[str], Tensor | None, str]:
    """Words of a run's answer, their hidden states (n, D), and why there are none."""
    from core.errors import ZscopeError

    if not hasattr(workshop.engine, "passes"):
        return [], None, "Words are missing: their hidden states need the model itself."
    from core.engine.words import word_places, word_states

    kept: dict[str, Any] = visit.beside.setdefault("word states", {})
    if trace.id not in kept:
        places = word_places(workshop.engine, trace)[:WORDS]
        try:
            states = word_states(workshop.engine, trace, places)
        except ZscopeError as error:
            return [], None, f"Words are missing: {error}"
        kept[trace.id] = ([trace.pieces[p].strip() or "␣" for p in places], states)
        while len(kept) > 16:
            kept.pop(next(iter(kept)))
    names, states = kept[trace.id]
    return names, states, ""


def says(kind: str, normal: Normal) -> str:
    """What a cosine is, in a formula."""
    return KIND_SAYS[kind].format(b=normal.unrelated if normal.unrelated is not None else 0)


def _from(bank: Bank | None, kind: str) -> str:
    if kind not in ("centred", "zscored"):
        return ""
    return " μ and s are the bank's." if bank is not None else " μ and s are of these steps alone."


def _cosines(
    rows: Tensor, columns: Tensor, kind: str, normal: Normal, words: Tensor | None
) -> list[list[float]]:
    """Cosines of latents, words behind them in both directions where there are any."""
    import torch

    from core.measures.similarity import as_compared, corrected, cosine

    if kind in ("centred", "zscored") and normal.reference is None:
        # the mean of each side alone would make every pair of two vectors −1
        both = as_compared(torch.cat([rows, columns]), kind)
        left, right = both[: len(rows)], both[len(rows) :]
    else:
        left = as_compared(rows, kind, normal.reference)
        right = as_compared(columns, kind, normal.reference)
    if words is not None and len(words):
        reference = normal.words if kind in ("centred", "zscored") else None
        beside = as_compared(words, kind, reference)
        left, right = torch.cat([left, beside]), torch.cat([right, beside])
    found = cosine(left, right)
    if kind == "corrected" and normal.unrelated is not None:
        found = corrected(found, normal.unrelated)
    values: list[list[float]] = found.tolist()
    return values


def kinds() -> list[tuple[str, str]]:
    """(label, key) of the readings."""
    return [(name.removesuffix(" cosine"), key) for key, name in KIND_NAMES.items()]
