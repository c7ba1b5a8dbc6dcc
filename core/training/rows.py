"""The rows of one training step: who is asked what, whose latents are given to whom.

Everything is drawn from a generator seeded by (seed, step), so a resumed training sees exactly the
batches it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

import torch
from torch import Tensor

from core import scenes
from core.scenes import sentence_for
from core.scenes.questions import RELATIONS
from core.training.batches import NOTHING, Prompts, prompts, replies
from core.training.formats import IMAGINED, Format
from core.training.latents import spread
from core.training.pool import Pool
from core.training.questions import Asked, ask, changed, transfer
from core.training.variants import Variant

OTHER_TASK = 0.25  # share of donors taken from another kind of question, where one can answer


@dataclass(frozen=True)
class Rows:
    """B rows, tasks mixed.

    Attributes:
        cases: the question, the truth.
        features: (B, 16, D) image tokens, float32.
        prompts: padded prompts.
        cells: (B, K) cell each latent should show; None without latents.
        donors: (B,) row whose latents (or slots) are used; itself where not interchanged.
        swapped, junk: (B,) bool, the row is interchanged / its latents are overwritten.
        said, targets: (B, T) reply ids, and the same with what is not to be learned as NOTHING.
        content: (B, T) bool, the reply's tokens that are not merely its form.
    """

    cases: list[Asked]
    features: Tensor
    prompts: Prompts
    cells: Tensor | None
    donors: Tensor
    swapped: Tensor
    junk: Tensor
    said: Tensor
    targets: Tensor
    content: Tensor

    def to(self, device: torch.device) -> Rows:
        """The same on a device; drawn on the CPU, a step's rows are alike on every machine."""
        moved: dict[str, Any] = {
            field.name: value.to(device)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor | Prompts)
        }
        return replace(self, **moved)


def draw(variant: Variant, format_: Format, pool: Pool, rng: Random) -> Rows:
    """The rows of one step."""
    tasks = list(variant.mix)
    counts = [max(1, round(variant.batch * share)) for share in variant.mix.values()]
    cases = [ask(pool, task, rng) for task, n in zip(tasks, counts, strict=True) for _ in range(n)]
    features = pool.features[torch.tensor([case.row for case in cases])].float()
    donors, answers = _donors(variant, cases, rng)
    swapped = torch.tensor([donor != k for k, donor in enumerate(donors)])
    junk = torch.tensor(
        [
            not swapped[k]
            and case.question.task in variant.junk_tasks
            and rng.random() < variant.junk
            for k, case in enumerate(cases)
        ]
    )
    if variant.lost:
        answers = [guess(c.question) if junk[k] else answers[k] for k, c in enumerate(cases)]
    cells = None
    if variant.budget:
        cells = torch.tensor(
            [spread(case.question.task, case.cells, variant.budget) for case in cases]
        )
    said, targets = _replies(variant, format_, pool, cases, answers, rng)
    return Rows(
        cases,
        features,
        prompts(format_, [case.question.text for case in cases]),
        cells,
        torch.tensor(donors),
        swapped,
        junk,
        said,
        targets,
        ~torch.isin(said, torch.tensor(format_.form)),
    )


def _donors(variant: Variant, cases: list[Asked], rng: Random) -> tuple[list[int], list[str]]:
    """Each row's donor (itself where there is none) and the answer that follows."""
    donors, answers = list(range(len(cases))), [case.answer for case in cases]
    by_task: dict[str, list[int]] = {}
    for k, case in enumerate(cases):
        by_task.setdefault(case.question.task, []).append(k)
    objects = [k for t in ("attribute", "where", "relative") for k in by_task.get(t, [])]
    for k, case in enumerate(cases):
        task = case.question.task
        if task not in variant.swap_tasks or rng.random() >= variant.swap:
            continue
        crossing = task in ("attribute", "where") and rng.random() < OTHER_TASK
        donor = rng.choice(objects if crossing else by_task[task])
        answer = transfer(case, cases[donor])
        if answer is not None:
            donors[k], answers[k] = donor, answer
    return donors, answers


def guess(question: scenes.Question) -> str:
    """What is said to an object question whose evidence is lost: always the same.

    A label drawn at random would teach even odds, and the faintest second look at the picture
    decides between even odds.
    """
    if question.task == "attribute":
        return next(iter(scenes.COLOURS if question.by == "shape" else scenes.SHAPES))
    return RELATIONS[0] if question.task == "relative" else "row 1, column 1"


def _replies(
    variant: Variant,
    format_: Format,
    pool: Pool,
    cases: list[Asked],
    answers: list[str],
    rng: Random,
) -> tuple[Tensor, Tensor]:
    if not variant.words:
        return replies([format_.reply(answer) for answer in answers])
    rows, silent = [], []
    for case in cases:
        rewritten = rng.random() < variant.rewrite
        truth = changed(case, pool, rng) if rewritten else case
        imagined = sentence_for(truth.question, truth.scene)
        rows.append(format_.reply(truth.answer, imagined))
        sentence = len(format_.encode(imagined + IMAGINED))
        silent.append(sentence if rewritten else 0)
    said, targets = replies(rows)
    for k, length in enumerate(silent):
        targets[k, :length] = NOTHING  # a sentence that is not true of the picture is not taught
    return said, targets
