"""What lies on the large map: the bank, the visitor's runs, patches and words, all named."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from core.records import Trace
    from core.records.bank import Bank
    from gui.visits import Visit
    from gui.workshop import Workshop

MOST = 5000  # latents of the bank on one map
BRANCHES = 12  # further branches on one map, the newest
TOKENS = 200  # words on one map


@dataclass(frozen=True)
class Point:
    """One point.

    Attributes:
        kind: ``"bank"``, ``"run"``, ``"patch"`` or ``"word"``.
        item: id of the item, the branch, the place or the token.
        step: counted from 0; −1 for what has none.
        task, answer: of the item or the run; "" when unknown.
        span: of a run's latent; −1 elsewhere.
    """

    kind: str
    item: str
    step: int = -1
    task: str = ""
    answer: str = ""
    span: int = -1

    @property
    def name(self) -> str:
        """As a person reads it."""
        return f"{self.item}, z{self.step + 1}" if self.step >= 0 else self.item


@dataclass(eq=False)
class Cloud:
    """Points with their vectors, group by group.

    Attributes:
        tables: one (n, D) a group, in the order of ``groups``.
        groups: the points of each; the bank's (may be empty) first, then one a run.
        roles: what each group is: ``"bank"``, ``"before"``, ``"after"``, ``"branch"``,
            ``"patch"`` or ``"word"``.
        source: what the bank's latents are, in words.
        key: the same for the same content.
        notes: what is out of the ordinary, a sentence each.
    """

    tables: list[Tensor] = field(default_factory=list)
    groups: list[list[Point]] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    source: str = ""
    key: tuple[Any, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def points(self) -> list[Point]:
        """All points in the order of the rows."""
        return [point for group in self.groups for point in group]

    def add(self, role: str, table: Tensor, points: list[Point]) -> None:
        """One more group."""
        self.tables.append(table)
        self.groups.append(points)
        self.roles.append(role)

    def of(self, *roles: str) -> list[int]:
        """Places of the groups with these roles."""
        return [place for place, role in enumerate(self.roles) if role in roles]


def gather(visit: Visit, workshop: Workshop, beside: Collection[str] = ()) -> Cloud:
    """The cloud of a visitor.

    Args:
        beside: of ``"branches"``, ``"patches"`` and ``"words"``, what is shown as well.
    """
    cloud = Cloud()
    base, edited = visit.baseline, visit.edited
    width = next((s.latents.shape[1] for t in (base, edited) if t for s in t.spans), None)
    _add_bank(cloud, visit, workshop, width)
    runs = [("before", base, "baseline"), ("after", edited, _title(visit, edited))]
    if "branches" in beside:
        others = [id for id in visit.branches if id not in (visit.base, visit.shown)]
        if len(others) > BRANCHES:
            cloud.notes.append(f"Of {len(others)} further branches the newest {BRANCHES} are here.")
        runs += [
            ("branch", visit.branches[id].trace, visit.branches[id].title)
            for id in others[-BRANCHES:]
        ]
    for role, trace, title in runs:
        _add_run(cloud, role, trace, title, visit)
    if "patches" in beside and width is not None:
        _add_patches(cloud, visit, base, width)
    if "words" in beside and base is not None and width is not None:
        _add_words(cloud, workshop, base)
    shown = [(role, trace.id if trace else "") for role, trace, _ in runs]
    bank = getattr(workshop.engine, "bank", None)
    cloud.key = (
        id(bank) if bank is not None else cloud.source,
        visit.span,
        *shown,
        *sorted(beside),
    )
    return cloud


def bank_rows(bank: Bank) -> list[int]:
    """Items of a bank that are drawn, evenly from its tasks."""
    from core.measures.reference import evenly

    names = [item.task for item in bank.items] or [""] * len(bank.latents)
    return evenly(names, max(1, MOST // bank.latents.shape[1]))


def _add_bank(cloud: Cloud, visit: Visit, workshop: Workshop, width: int | None) -> None:
    import torch

    bank = getattr(workshop.engine, "bank", None)
    if bank is not None and width in (None, bank.latents.shape[-1]):
        rows = bank_rows(bank)
        items = [
            (b.id, b.task, b.answer or "")
            for b in (bank.items[r] if bank.items else _nameless(r) for r in rows)
        ]
        spans = [bank.latents[row] for row in rows]
        cloud.source = f"bank: {len(rows)} of {len(bank.latents)} items, {bank.source}"
        if len(rows) == len(bank.latents):
            cloud.source = f"bank: {len(rows)} items, {bank.source}"
    else:
        runs = [r for r in workshop.example_runs() if r[0] != visit.example and r[1].spans]
        items = [
            (f"example {i + 1}", str(workshop.items[i].task), run.answer or "") for i, run in runs
        ]
        spans = [run.spans[0].latents for _, run in runs]
        cloud.source = f"{len(runs)} other examples, no bank" if runs else "no bank"
    points, table = [], []
    for (name, task, answer), latents in zip(items, spans, strict=True):
        there = torch.isfinite(latents).any(-1).tolist()
        points += [Point("bank", name, k, task, answer) for k, yes in enumerate(there) if yes]
        table.append(latents[torch.tensor(there, dtype=torch.bool)])
    cloud.add("bank", torch.cat(table) if table else torch.zeros(0, width or 0), points)


def _nameless(row: int) -> Any:
    from core.records.bank import BankItem

    return BankItem(f"item {row + 1}")


def _add_run(cloud: Cloud, role: str, trace: Trace | None, title: str, visit: Visit) -> None:
    if trace is None or visit.span >= len(trace.spans):
        return
    latents = trace.spans[visit.span].latents
    task = "this run"
    points = [
        Point("run", title, k, task, trace.answer or "", visit.span) for k in range(len(latents))
    ]
    cloud.add(role, latents, points)


def _add_patches(cloud: Cloud, visit: Visit, trace: Trace | None, width: int) -> None:
    patches = visit.patches
    if patches is None or not len(patches) or trace is None or patches.shape[1] != width:
        cloud.notes.append("The picture's patches are not at hand; run the question again.")
        return
    columns = max(1, trace.prompt.grid[1])
    points = [
        Point("patch", f"row {n // columns + 1}, column {n % columns + 1}", task="picture")
        for n in range(len(patches))
    ]
    cloud.add("patch", patches, points)


def _add_words(cloud: Cloud, workshop: Workshop, trace: Trace) -> None:
    """The embeddings of the words of question and answer, each once."""
    import torch

    engine = workshop.engine
    if not hasattr(engine, "embed"):
        cloud.notes.append("The words' embeddings need the model, which is not loaded.")
        return
    from core.engine.inspect import image_slots
    from core.engine.words import word_places

    picture = {trace.prompt.input_ids[slot] for slot in image_slots(engine, trace)}
    special = set(engine.reader.tokenizer.all_special_ids) | picture
    asked = [token for token in trace.prompt.input_ids if token not in special]
    said = [trace.token_ids[place] for place in word_places(engine, trace)]
    tokens = list(dict.fromkeys([*said, *asked]))[:TOKENS]
    if not tokens:
        return
    points = [Point("word", engine.reader.piece(t).strip() or "␣", task="text") for t in tokens]
    cloud.add("word", torch.stack([engine.embed(token) for token in tokens]), points)


def _title(visit: Visit, trace: Trace | None) -> str:
    branch = visit.branches.get(trace.id) if trace is not None else None
    return branch.title if branch is not None else "edited"


def answers_of(points: Sequence[Point], most: int) -> list[str]:
    """The commonest answers, at most ``most``, commonest first."""
    counts: dict[str, int] = {}
    for point in points:
        if point.answer:
            counts[point.answer] = counts.get(point.answer, 0) + 1
    return sorted(counts, key=lambda a: (-counts[a], a))[:most]
