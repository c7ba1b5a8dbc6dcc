"""What a variant is taught: the answer, and what its latents are.

Interchange intervention training in the open: a row's reply is computed over its own prompt and
another row's latents (or latent slots), and the answer to give follows from the truth of both.
Attention is never masked, in training or later.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.training.batches import NOTHING
from core.training.formats import Format
from core.training.forward import Packed
from core.training.latents import emptied, nearest, overwritten, scaled, shown, smudged
from core.training.passes import Opened, open_span, reply, settle
from core.training.rows import Rows
from core.training.variants import Variant

TEMPERATURE = 0.1
FORM_WEIGHT = 0.1
TURN_WEIGHT = 6.0  # a latent that shows a new cell against one that repeats the last


@dataclass(frozen=True)
class Anchors:
    """The constants of a variant's latents: their `length`, what NONE looks like (D,), and the
    mean image token (D,), both of that length."""

    length: float
    nothing: Tensor
    mean: Tensor

    def to(self, device: torch.device) -> Anchors:
        """The same on a device."""
        return Anchors(self.length, self.nothing.to(device), self.mean.to(device))


def targets_of(variant: Variant, rows: Rows, anchors: Anchors) -> Tensor:
    """What the latents (B, K, D) of these rows should be."""
    assert rows.cells is not None
    if variant.latents == "mean":
        return anchors.mean.expand(*rows.cells.shape, -1)
    return shown(rows.features, rows.cells, anchors.nothing, anchors.length)


def loss_of(
    variant: Variant,
    format_: Format,
    packed: Packed,
    rows: Rows,
    anchors: Anchors,
    draw: torch.Generator,
    own: bool,
    head: nn.Module | None = None,
    finder: nn.Module | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of one step and its parts, these without gradients.

    With `own` the latents are the model's, not their targets. `finder` is a throw-away reader of
    the residual stream halfway up, for models that must find the evidence without a latent to put
    it in (`variant.find`).
    """
    middle: list[Tensor] | None = [] if finder is not None else None
    opened = open_span(packed, format_, rows.features, rows.prompts, middle)
    said, goal = rows.said, rows.targets
    if not variant.budget:
        hidden, _ = reply(packed, format_, opened, None, said[:, :-1], middle=middle)
        hidden = torch.cat([opened.hidden[:, -1:], hidden], dim=1)
        loss = _words(packed, hidden, goal, rows.content)
        parts = {"answer": loss}
        if finder is not None and middle is not None:
            parts["find"] = _found(rows, finder, middle)
            loss = loss + variant.find * parts["find"]
        return loss, {name: part.detach() for name, part in parts.items()}
    aim = targets_of(variant, rows, anchors)
    true = settle(packed, format_, opened, aim, head) if own else aim
    fed = _fed(variant, rows, true, aim, anchors, draw, own)
    donors = rows.donors if variant.slots else None
    hidden, _ = reply(packed, format_, opened, fed, said[:, :-1], donors, middle)
    slots, words = hidden[:, : variant.budget], hidden[:, variant.budget - 1 :]
    if head is not None:
        slots = head(slots)
        words = torch.cat([slots[:, -1:], words[:, 1:]], dim=1)
    answer = _words(packed, words, goal, rows.content)
    made = torch.cat([opened.first[:, None], slots[:, :-1]], dim=1)
    value, place = _latents(variant, rows, made, true if own else None, aim, anchors)
    control = _control(format_, packed, opened, slots)
    loss = answer + variant.regress * value + variant.point * place + variant.control * control
    parts = {"answer": answer, "value": value, "place": place, "control": control}
    if finder is not None and middle is not None:
        parts["find"] = _found(rows, finder, middle)
        loss = loss + variant.find * parts["find"]
    if variant.latents == "evidence":
        assert rows.cells is not None
        hit = nearest((true if own else made).detach(), rows.features) == rows.cells
        asked = (rows.cells >= 0) & (torch.ones_like(hit) if own else ~rows.swapped[:, None])
        asked &= _turns(rows.cells)
        parts["hit"] = (hit & asked).sum() / asked.sum()
    return loss, {name: part.detach() for name, part in parts.items()}


def _fed(
    variant: Variant,
    rows: Rows,
    true: Tensor,
    aim: Tensor,
    anchors: Anchors,
    draw: torch.Generator,
    own: bool,
) -> Tensor:
    """What the latent slots are fed: own or donor's latents, noise where it must not matter."""
    ignored = variant.latents == "mean"
    fed = true.detach() if ignored else true
    if not variant.slots:
        fed = fed[rows.donors]
    pool = shown(rows.features, _some_cells(rows, draw), anchors.nothing, anchors.length)
    if not own:
        # the same other cell at every step of a row, from the picture whose evidence is fed
        others = pool[rows.donors][:, :1].expand_as(fed)
        fed = smudged(fed, others, anchors.length, draw)
    spoil = emptied if variant.lost else overwritten
    wild = spoil(pool if ignored else aim, anchors.length, draw)
    junk = rows.junk
    if variant.slots:  # what is fed never matters here, interchanged or not
        junk = torch.rand(len(junk), generator=draw) < variant.junk
    return torch.where(junk[:, None, None], wild, fed)


def _some_cells(rows: Rows, draw: torch.Generator) -> Tensor:
    assert rows.cells is not None
    return torch.randint(16, rows.cells.shape, generator=draw)


def _words(packed: Packed, hidden: Tensor, goal: Tensor, content: Tensor) -> Tensor:
    """Every row counts alike, by what it says (`content`); the form around it counts little.

    Otherwise a path of seven moves outweighs seven colours, and the brackets outweigh both.
    """
    logits = F.linear(hidden, packed.head).float()
    miss = F.cross_entropy(
        logits.flatten(0, 1), goal.flatten(), ignore_index=NOTHING, reduction="none"
    ).view(goal.shape)
    said = goal != NOTHING
    weight = torch.where(content, 1.0, FORM_WEIGHT) * said
    share = weight / (content & said).sum(1, keepdim=True).clamp(min=1)
    return (miss * share).sum() / len(goal)


def _latents(
    variant: Variant,
    rows: Rows,
    made: Tensor,
    own: Tensor | None,
    aim: Tensor,
    anchors: Anchors,
) -> tuple[Tensor, Tensor]:
    """How far latents are from their targets, and from pointing at their cells.

    With targets fed in, only the first latent of an intervened row is its own.
    """
    assert rows.cells is not None
    latents = made if own is None else own
    valid = torch.ones(latents.shape[:2], dtype=torch.bool)
    if own is None and not variant.slots:
        valid[(rows.swapped | rows.junk), 1:] = False
    weight = torch.where(_turns(rows.cells), TURN_WEIGHT, 1.0) * valid
    weight = weight / weight.sum()
    square = (latents.float() - aim).pow(2).sum(-1) / anchors.length**2
    value = (square * weight).sum()
    if not variant.point:
        return value, torch.zeros(())
    nothing = scaled(anchors.nothing, 1.0).expand(len(latents), 1, -1)
    keys = torch.cat([F.normalize(rows.features, dim=-1), nothing], dim=1)
    cosine = F.normalize(latents.float(), dim=-1) @ keys.transpose(1, 2) / TEMPERATURE
    cell = torch.where(rows.cells < 0, keys.shape[1] - 1, rows.cells)
    miss = F.cross_entropy(cosine.flatten(0, 1), cell.flatten(), reduction="none")
    return value, (miss.view(weight.shape) * weight).sum()


def _turns(cells: Tensor) -> Tensor:
    """Where a latent (B, K) shows another cell than the one before it: these must be searched for
    in the picture, the others only repeat."""
    first = torch.ones(len(cells), 1, dtype=torch.bool)
    return torch.cat([first, cells[:, 1:] != cells[:, :-1]], dim=1)


def _found(rows: Rows, finder: nn.Module, middle: list[Tensor]) -> Tensor:
    """Does the stream halfway up say where the first and the second asked object are?"""
    stream = torch.cat(middle, dim=1)  # (B, positions, D)
    places = [
        case.cells if case.question.task in ("attribute", "where", "relative") else ()
        for case in rows.cases
    ]
    asked = torch.tensor([[*cells, NOTHING, NOTHING][:2] for cells in places])
    guess = F.normalize(finder(stream).float().unflatten(-1, (2, -1)), dim=-1)
    keys = F.normalize(rows.features, dim=-1)
    cosine = torch.einsum("blod,bcd->bloc", guess, keys) / TEMPERATURE
    goal = asked[:, None].expand(cosine.shape[:3])
    return F.cross_entropy(cosine.flatten(0, 2), goal.flatten(), ignore_index=NOTHING)


def _control(format_: Format, packed: Packed, opened: Opened, slots: Tensor) -> Tensor:
    """Say the opening, and nothing that would end the span before its budget."""
    opening = torch.tensor(format_.opening)
    logits = F.linear(opened.hidden[:, : len(opening)], packed.head).float()
    goal = opening.expand(len(logits), -1)
    begins = F.cross_entropy(logits.flatten(0, 1), goal.flatten())
    inside = F.linear(slots[:, :-1], packed.head).float()
    goal = torch.full(inside.shape[:2], format_.pad)
    return begins + 0.5 * F.cross_entropy(inside.flatten(0, 1), goal.flatten())
