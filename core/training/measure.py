"""The figures of a model card: measured through the engine, on the test split, greedy.

Nothing here shares code with the training's own forward pass: a checkpoint folder is loaded as any
other, asked, and branched from. Accuracy uses many items; edits cost a branch each and use fewer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from core import edits, scenes
from core.engine import Engine, open_engine
from core.measures.statistics import wilson
from core.records import Edit, Trace
from core.scenes.questions import normalised

CONTENT = ("zero", "mean", "noise")
MOST_TOKENS = 96


@dataclass(frozen=True)
class Share:
    """`hits` of `asked`; `low` and `high` bound the 95 % Wilson interval."""

    hits: int
    asked: int

    @property
    def value(self) -> float:
        return self.hits / self.asked if self.asked else math.nan

    @property
    def bounds(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        found = wilson(self.hits, self.asked)
        return found.low, found.high

    def plain(self) -> dict[str, float | int | list[float]]:
        """For JSON."""
        low, high = self.bounds
        return {
            "share": round(self.value, 4),
            "n": self.asked,
            "interval95": [round(low, 4), round(high, 4)],
        }


@dataclass(frozen=True)
class Answered:
    """An item and the run that answered it."""

    item: scenes.Item
    trace: Trace

    @property
    def right(self) -> bool:
        return self.item.is_correct(self.trace.answer or "")


def answered(
    engine: Engine,
    items: Sequence[scenes.Item],
    together: int = 25,
) -> list[Answered]:
    """One greedy run an item, `together` of them in one batch (a batch equals single runs)."""
    found: list[Answered] = []
    for first in range(0, len(items), together):
        group = items[first : first + together]
        prepared = [engine.prompt(item.image, item.question).inputs for item in group]
        traces = engine.decode(stacked(engine, prepared), max_new_tokens=MOST_TOKENS)
        traces = traces if isinstance(traces, list) else [traces]
        found += [Answered(item, trace) for item, trace in zip(group, traces, strict=True)]
    return found


def stacked(
    engine: Engine,
    prompts: Sequence[dict[str, Tensor]],
) -> dict[str, Tensor]:
    """Prepared prompts as one batch, padded on the left."""
    longest = max(inputs["input_ids"].shape[1] for inputs in prompts)
    assert engine.processor is not None  # every demo folder has one
    pad = engine.processor.tokenizer.pad_token_id
    fill = {"input_ids": pad, "attention_mask": 0, "mm_token_type_ids": 0}
    batch = {
        key: torch.cat(
            [F.pad(inp[key], (longest - inp[key].shape[1], 0), value=value) for inp in prompts]
        )
        for key, value in fill.items()
    }
    for key in ("pixel_values", "image_grid_thw"):
        batch[key] = torch.cat([inputs[key] for inputs in prompts])
    return batch


def share_of(hits: Sequence[bool]) -> Share:
    """How many of these are true."""
    return Share(sum(hits), len(hits))


def says(trace: Trace, text: str | None) -> bool:
    """Whether a run's answer is these words."""
    return text is not None and normalised(trace.answer or "") == normalised(text)


def donors(
    cases: Sequence[Answered], pool: Sequence[Answered], seed: int
) -> Iterator[tuple[Answered, Answered, str]]:
    """For each case a donor of `pool` whose evidence gives its question another answer, and that
    answer; cases for which twenty draws find none are left out."""
    rng = Random(seed)
    for case in cases:
        for _ in range(20):
            donor = rng.choice(pool)
            truth = case.item.transferred_from(donor.item)
            if donor is not case and truth is not None and truth != case.item.answer:
                if donor.trace.spans and case.trace.spans:
                    yield case, donor, truth
                break


def edited(
    engine: Engine,
    cases: Sequence[Answered],
    pool: Sequence[Answered],
    seed: int = 0,
    contents: Sequence[str] = CONTENT,
    swaps: Sequence[str] = ("swap",),
) -> dict[str, dict[str, Share]]:
    """Edit -> its shares; all edits of an item in one batch.

    Args:
        cases: the runs that are edited; those without a span are left out.
        pool: where the donors of swaps are drawn from.
        contents: content edits, each with `right` (accuracy under it) and `same` (answers it
            leaves). `mean` is the mean latent of that step over these runs; `noise` has each
            latent's own length.
        swaps: kinds of edit that take a donor, each with `follows` (answers that follow the
            donor's evidence) and `same`; items without a donor of another answer are left out.
    """
    spans = [case for case in cases if case.trace.spans]
    given = {id(case): (donor, truth) for case, donor, truth in donors(spans, pool, seed)}
    hits: dict[str, list[bool]] = {name: [] for name in (*contents, *swaps)}
    same: dict[str, list[bool]] = {name: [] for name in (*contents, *swaps)}
    for case, values in zip(spans, _overwritten(spans, contents, seed), strict=True):
        lists = {name: [Edit("manual", values=value)] for name, value in values.items()}
        donor, truth = given.get(id(case), (None, None))
        if donor is not None:
            lists |= {kind: [Edit(kind, donor=donor.trace)] for kind in swaps}
        children = engine.branches(case.trace, list(lists.values()), keep=False)
        for name, child in zip(lists, children, strict=True):
            right = case.item.is_correct(child.answer or "")
            hits[name].append(says(child, truth) if name in swaps else right)
            same[name].append(says(child, case.trace.answer))
    return {
        name: {
            "follows" if name in swaps else "right": share_of(hits[name]),
            "same": share_of(same[name]),
        }
        for name in hits
    }


def _overwritten(
    cases: Sequence[Answered], contents: Sequence[str], seed: int
) -> Iterator[dict[str, Tensor]]:
    """For each run, what each content edit puts in place of its latents, (K, D)."""
    if not cases or not contents:
        yield from ({} for _ in cases)
        return
    table = torch.stack([case.trace.spans[0].latents for case in cases])
    mean = table.mean(0)
    draw = torch.Generator().manual_seed(seed)
    for latents in table:
        noise = torch.randn(latents.shape, generator=draw)
        noise = F.normalize(noise, dim=-1) * latents.norm(dim=-1, keepdim=True)
        values = {"zero": torch.zeros_like(latents), "mean": mean, "noise": noise}
        yield {name: values[name] for name in contents}


def rewritten(engine: Engine, cases: Sequence[Answered]) -> Share:
    """Answers that follow the counterfactual's sentence, put in place of the model's own."""
    hits = []
    for case in cases:
        if case.trace.imagined is None:
            continue
        other = case.item.counterfactual
        child = engine.branch(case.trace, [Edit("text", text=other.sentence)])
        hits.append(says(child, other.answer))
    return share_of(hits)


def pointing(engine: Engine, cases: Sequence[Answered]) -> Share:
    """Latents whose nearest image token (cosine) is the cell they should show, step by step.

    Planning: start, path, then the goal. Others: the evidence's cells; steps past the last counted
    object are not asked.
    """
    from core.training.latents import spread

    hits: list[bool] = []
    for case in cases:
        if not case.trace.spans or not case.item.target_cells:
            continue
        latents = case.trace.spans[0].latents
        tokens = F.normalize(engine.patches(case.trace), dim=-1)
        nearest = (F.normalize(latents, dim=-1) @ tokens.T).argmax(-1).tolist()
        cells = spread(case.item.task, case.item.target_cells, len(latents))
        hits += [a == b for a, b in zip(nearest, cells, strict=True) if b >= 0]
    return share_of(hits)


def alike(cases: Sequence[Answered]) -> float:
    """Mean cosine between different items' latents at the last step."""
    last: Tensor = torch.stack([c.trace.spans[0].latents[-1] for c in cases if c.trace.spans])
    last = F.normalize(last, dim=-1)
    count = len(last)
    return float(((last @ last.T).sum() - count) / (count * (count - 1)))


def items_for(task: str, count: int, seed: int = 0, size: int | None = None) -> list[scenes.Item]:
    """Test items: the first `count` different scenes of the test stream of `seed`."""
    return scenes.sample(task, "test", seed, n=count, size=size)


def load(folder: Path) -> Engine:
    """The engine of a checkpoint folder, on the CPU in float32."""
    return open_engine(folder, edits.prepare, device="cpu", dtype="float32")
