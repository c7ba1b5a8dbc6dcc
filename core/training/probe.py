"""A quick look at a model in training: accuracy by task, and what its latents do.

Uses the training's own passes on the validation pool, so it costs seconds. The figures of a model
card are measured elsewhere (`core.training.measure`), through the engine, on the test split.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Qwen2_5_VLForConditionalGeneration

from core import scenes
from core.scenes.questions import answer_is_right, normalised
from core.training.batches import prompts, visible
from core.training.formats import Format
from core.training.forward import Packed, pack, rotation, run
from core.training.latents import nearest, scaled, spread
from core.training.objective import Anchors
from core.training.passes import Opened, imagine, open_span, reply, text_positions
from core.training.pool import Pool
from core.training.questions import Asked, asked, transfer
from core.training.variants import Variant

LONGEST = 72


@torch.no_grad()
def speak(
    packed: Packed,
    format_: Format,
    opened: Opened,
    latents: Tensor | None,
    head: nn.Module | None = None,
    donors: Tensor | None = None,
    begin: Sequence[int] = (),
    longest: int = LONGEST,
) -> list[str]:
    """Greedy replies after these latents, `begin` forced first; each cut at the end token."""
    count, budget = len(opened.hidden), 0 if latents is None else latents.shape[1]
    said = torch.tensor(list(begin), dtype=torch.long).expand(count, -1)
    hidden, kept = opened.hidden, opened.kept
    if budget or begin:
        hidden, kept = reply(packed, format_, opened, latents, said, donors)
    last = hidden[:, -1]
    if head is not None and not len(begin):
        last = head(last)
    after, tokens, rows = (
        len(format_.embedded_opening),
        [said],
        torch.zeros(count, dtype=torch.bool),
    )
    end = format_.encode("<|im_end|>")[0]
    for step in range(longest):
        token = F.linear(last, packed.head).argmax(-1)
        tokens.append(token[:, None])
        rows |= token == end
        if bool(rows.all()):
            break
        place = budget + len(begin) + step
        mask = visible(format_, opened.prompts, 1, after + place + 1)
        turn = rotation(packed, text_positions(opened.next_position, place, 1))
        hidden, kept = run(packed, packed.embedding[token][:, None], turn, mask, kept)
        last = hidden[:, -1]
    words = torch.cat(tokens, dim=1).tolist()
    cut = [row[: row.index(end)] if end in row else row for row in words]
    return [format_.tokenizer.decode(row) for row in cut]


def right(format_: Format, said: str, case: Asked, truth: str | None = None) -> bool:
    """Whether a reply answers its question; `truth` where not the picture decides."""
    answer = format_.family.parse(said).text or ""
    if truth is not None:
        return normalised(answer) == normalised(truth)
    return answer_is_right(case.question, case.scene, answer)


@torch.no_grad()
def probe(
    variant: Variant,
    format_: Format,
    model: Qwen2_5_VLForConditionalGeneration,
    head: nn.Module | None,
    watched: Pool,
    anchors: Anchors,
    per_task: int = 100,
) -> dict[str, dict[str, float]]:
    """Task -> measure -> share: `own`, and where there are latents `swap`, `zero`, `mean`, `noise`,
    `point` (latents nearest to their cell), `opens` (the span is opened), `alike` (cosine between
    items at the last step)."""
    packed = pack(model)
    found: dict[str, dict[str, float]] = {}
    for task in scenes.TASKS:
        rows = list(watched.rows[task])[:per_task]
        cases = [asked(r, watched.items[r].asked, watched.items[r].scene) for r in rows]
        features = watched.features[torch.tensor(rows)].float()
        batch = prompts(format_, [case.question.text for case in cases])
        opened = open_span(packed, format_, features, batch)
        latents = imagine(packed, format_, opened, variant.budget, head) if variant.budget else None

        def share(
            fed: Tensor | None,
            truths: Sequence[str | None] | None = None,
            donors: Tensor | None = None,
        ) -> float:
            said = speak(packed, format_, opened, fed, head, donors)  # noqa: B023
            pairs = zip(said, cases, truths or [None] * len(said), strict=True)  # noqa: B023
            return sum(right(format_, s, c, t) for s, c, t in pairs) / len(said)

        result = {"own": share(latents)}
        if latents is not None:
            result |= _interventions(variant, cases, latents, anchors, share)
            opens = F.linear(opened.hidden[:, : len(format_.opening)], packed.head).argmax(-1)
            result["opens"] = float((opens == torch.tensor(format_.opening)).all(1).float().mean())
            cells = torch.tensor([spread(task, case.cells, variant.budget) for case in cases])
            hit = (nearest(latents, features) == cells)[cells >= 0]
            result["point"] = float(hit.float().mean())
            last = F.normalize(latents[:, -1], dim=-1)
            result["alike"] = float((last @ last.T).mean())
        found[task] = result
    return found


def _interventions(variant, cases, latents, anchors, share):  # type: ignore[no-untyped-def]
    """Accuracy under content edits, and how often a donor is followed or (slots) swapped in."""
    rng, count = Random(0), len(cases)
    donors, truths = [], []
    for k, case in enumerate(cases):
        while True:
            donor = rng.randrange(count)
            truth = transfer(case, cases[donor])
            if donor != k and truth is not None and truth != case.answer:
                break
        donors.append(donor)
        truths.append(truth)
    order = torch.tensor(donors)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    result = {
        "follow": share(latents[order], truths),
        "stay": share(latents[order]),
        "zero": share(torch.zeros_like(latents)),
        "mean": share(latents.mean(0, keepdim=True).expand_as(latents)),
        "noise": share(scaled(noise, anchors.length)),
    }
    if variant.slots:
        result["cache"] = share(latents, truths, order)
    return result


def shown(found: dict[str, dict[str, float]]) -> str:
    """The probe as lines of text."""
    return "\n".join(
        f"  {task:10s} " + " ".join(f"{name} {share:.3f}" for name, share in shares.items())
        for task, shares in found.items()
    )
