"""Draws the scenes, questions and counterfactual scenes of the four object tasks.

Each task has three steps. `aim` fixes what decides the answer, before anything can be rejected, so
that answers stay balanced. `layout` draws a scene around it. `changes` lists, in a random order,
the scenes that differ in one thing and in the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import NamedTuple

from core.scenes.objects import SIDE, Backdrop, Figure, Look, ObjectScene
from core.scenes.palette import BACKDROPS, COLOURS, SHAPES
from core.scenes.questions import Question, answer_for, relation

VALUES = {"shape": SHAPES, "colour": tuple(COLOURS)}
MOST_COUNTED = 6
FEWEST, MOST = 3, 8  # objects in a scene
_CELLS = range(SIDE * SIDE)
_PAIRS = {
    way: [
        (a, b)
        for a in _CELLS
        for b in _CELLS
        if a != b and (a // SIDE == b // SIDE) != (a % SIDE == b % SIDE) and relation(a, b) == way
    ]
    for way in ("left", "right", "above", "below")
}


class Aim(NamedTuple):
    """What decides the answer: the question, the fixed cells, the asked value, the number."""

    question: Question
    cells: tuple[int, ...] = ()
    value: str = ""
    number: int = 0


def other_of(by: str) -> str:
    """The attribute that a question which names objects `by` the one asks for."""
    return "colour" if by == "shape" else "shape"


def aim(task: str, rng: Random) -> Aim:
    """Draw a question and its answer's determinants, each answer equally likely."""
    by = rng.choice(("shape", "colour"))
    name, second = rng.sample(VALUES[by], 2)
    if task == "attribute":
        value = rng.choice(VALUES[other_of(by)])
        return Aim(Question(task, by, name), (rng.choice(_CELLS),), value)
    if task == "where":
        return Aim(
            Question(task, by, name), (rng.choice(_CELLS),), rng.choice(VALUES[other_of(by)])
        )
    if task == "relative":
        pair = rng.choice(_PAIRS[rng.choice(tuple(_PAIRS))])
        return Aim(Question(task, by, name, second, rng.randrange(2)), pair)
    if task == "count":
        return Aim(Question(task, by, name), number=rng.randint(0, MOST_COUNTED))
    raise ValueError(f"no object task is called {task!r}")


def _figure(by: str, name: str, cell: int, value: str) -> Figure:
    return Figure(cell, name, value) if by == "shape" else Figure(cell, value, name)


def _with(figure: Figure, key: str, value: str) -> Figure:
    return replace(figure, shape=value) if key == "shape" else replace(figure, colour=value)


def layout(goal: Aim, rng: Random) -> ObjectScene:
    """A scene that fits the aim; plain looks (see `dressed`)."""
    question, by = goal.question, goal.question.by
    named = [name for name in (question.name, question.other) if name]
    cells = list(goal.cells)
    number = goal.number if question.task == "count" else len(named)
    total = rng.randint(max(FEWEST, number), MOST)
    free = [cell for cell in _CELLS if cell not in cells]
    cells += rng.sample(free, total - len(cells))
    figures = []
    for k, cell in enumerate(cells):
        if k < number:
            name = question.name if question.task == "count" else named[k]
            value = goal.value or rng.choice(VALUES[other_of(by)])
        else:
            name = rng.choice([v for v in VALUES[by] if v not in named])
            value = rng.choice(VALUES[other_of(by)])
        figures.append(_figure(by, name, cell, value))
    return ObjectScene(tuple(figures))


def changes(question: Question, scene: ObjectScene, rng: Random) -> Iterator[ObjectScene]:
    """The scenes that differ in one attribute of one object and in the answer, in random order."""
    figures, by = scene.figures, question.by
    candidates: list[tuple[int, Figure]] = []
    if question.task == "attribute":
        key = other_of(by)
        candidates = [(0, _with(figures[0], key, v)) for v in VALUES[key]]
    elif question.task == "count":
        for k, figure in enumerate(figures):
            counted = getattr(figure, by) == question.name
            names = [v for v in VALUES[by] if v != question.name] if counted else [question.name]
            candidates += [(k, _with(figure, by, v)) for v in names]
    else:
        taken = {figure.cell for figure in figures}
        candidates = [(0, replace(figures[0], cell=c)) for c in _CELLS if c not in taken]
    rng.shuffle(candidates)
    truth = answer_for(question, scene)
    for k, figure in candidates:
        changed = replace(scene, figures=(*figures[:k], figure, *figures[k + 1 :]))
        try:
            answer = answer_for(question, changed)
        except ValueError:
            continue  # the two objects no longer share a row or column
        if answer != truth and not (question.task == "count" and int(answer) > MOST_COUNTED):
            yield changed


def dressed(scene: ObjectScene, other: ObjectScene, rng: Random) -> tuple[ObjectScene, ObjectScene]:
    """Both scenes with the same random looks and backdrop."""
    looks = [
        Look(rng.uniform(66, 94), rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-12, 12))
        for _ in scene.figures
    ]
    backdrop = Backdrop(
        rng.randrange(len(BACKDROPS)),
        rng.choice(("tiles", "lines", "dots")),
        rng.uniform(0, 1),
        rng.uniform(-1, 1),
    )

    def dress(bare: ObjectScene) -> ObjectScene:
        figures = tuple(
            replace(figure, look=look) for figure, look in zip(bare.figures, looks, strict=True)
        )
        return ObjectScene(figures, backdrop)

    return dress(scene), dress(other)


def options(question: Question, answers: tuple[str, str], rng: Random) -> tuple[str, ...]:
    """Four to six options with both answers among them, in random order.

    All values of a closed answer set where six hold it, else a random rest: neither the order nor
    the choice tells which is right.
    """
    if question.task == "attribute":
        chosen = list(VALUES[other_of(question.by)])
    elif question.task == "relative":
        chosen = list(_PAIRS)
    elif question.task == "count":
        low = 0 if "0" in answers else 1 if "6" in answers else rng.randrange(2)
        chosen = [str(n) for n in range(low, low + 6)]
    else:
        places = [f"row {c // SIDE + 1}, column {c % SIDE + 1}" for c in _CELLS]
        rest = [p for p in places if p not in answers]
        chosen = [*answers, *rng.sample(rest, 4)]
    rng.shuffle(chosen)
    return tuple(chosen)
