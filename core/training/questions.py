"""What a training row asks: the pool's own question, or another that its scene can answer.

A picture costs far more than a question, so a scene drawn for one task is asked others too.
Counting keeps mostly to the scenes drawn for it, whose answers are balanced.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from core import scenes
from core.scenes.objects import SIDE, Figure
from core.scenes.questions import PLAN_QUESTIONS, answer_for, evidence, target_cells
from core.training.pool import Pool

VALUES = {"shape": scenes.SHAPES, "colour": scenes.COLOURS}
OWN_QUESTION = 0.5  # how often a picture is asked what it was drawn for


@dataclass(frozen=True)
class Asked:
    """One question put to one pool row.

    `cells` are the evidence's lattice cells in order; `imagined` is the sentence, `scene` what the
    sentence and the answer are true of (not the picture's where a sentence was changed).
    """

    row: int
    question: scenes.Question
    scene: scenes.ObjectScene | scenes.Board
    answer: str
    cells: tuple[int, ...]


def ask(pool: Pool, task: str, rng: Random) -> Asked:
    """A random question of `task` about a random picture of the pool."""
    own = task in ("plan", "count") or rng.random() < OWN_QUESTION
    while True:
        if own:
            row = rng.choice(pool.rows[task])
            item = pool.items[row]
            question = item.asked
            if task == "plan":
                question = scenes.Question("plan", wording=rng.randrange(len(PLAN_QUESTIONS)))
            elif task == "count" and rng.random() < 0.2:
                by = rng.choice(("shape", "colour"))
                question = scenes.Question("count", by, rng.choice(list(VALUES[by])))
            return asked(row, question, item.scene)
        source = rng.choice([t for t in pool.rows if t != "plan"])
        row = rng.choice(pool.rows[source])
        found = invent(task, pool.items[row].scene, rng)
        if found is not None:
            return asked(row, found, pool.items[row].scene)


def asked(row: int, question: scenes.Question, scene: scenes.ObjectScene | scenes.Board) -> Asked:
    """The row with its truth worked out."""
    return Asked(row, question, scene, answer_for(question, scene), target_cells(question, scene))


def invent(
    task: str, scene: scenes.ObjectScene | scenes.Board, rng: Random
) -> scenes.Question | None:
    """A question of an object task that the scene answers; None when this draw finds none."""
    if isinstance(scene, scenes.Board):
        return None
    by = rng.choice(("shape", "colour"))
    single = [name for name in VALUES[by] if len(scene.find(by, name)) == 1]
    if not single:
        return None
    if task != "relative":
        return scenes.Question(task, by, rng.choice(single))
    if len(single) < 2:
        return None
    first, second = rng.sample(single, 2)
    question = scenes.Question(task, by, first, second, rng.randrange(2))
    a, b = (figure.cell for figure in evidence(question, scene))
    aligned = (a // SIDE == b // SIDE) != (a % SIDE == b % SIDE)
    return question if aligned else None


def changed(case: Asked, pool: Pool, rng: Random) -> Asked:
    """The same question with another truth: what a rewritten sentence would say.

    The objects that the question names get other places and values; a count becomes another
    number; a path becomes another board's. The picture (row) stays.
    """
    question = case.question
    if question.task == "plan":
        scene: scenes.ObjectScene | scenes.Board = pool.items[rng.choice(pool.rows["plan"])].scene
        return asked(case.row, question, scene)
    other = "colour" if question.by == "shape" else "shape"
    named = [name for name in (question.name, question.other) if name]
    number = rng.randint(0, 6) if question.task == "count" else len(named)
    while True:
        cells = rng.sample(range(SIDE * SIDE), number)
        figures = []
        for k, cell in enumerate(cells):
            values = {question.by: named[k % len(named)], other: rng.choice(list(VALUES[other]))}
            figures.append(Figure(cell, values["shape"], values["colour"]))
        try:
            return asked(case.row, question, scenes.ObjectScene(tuple(figures)))
        except ValueError:
            continue  # the two objects share neither row nor column


def transfer(case: Asked, donor: Asked) -> str | None:
    """The answer to `case`'s question read at the donor's evidence; None where there is none."""
    return scenes.transferred(case.question, donor.question, donor.scene)


__all__ = ["Asked", "ask", "asked", "changed", "invent", "transfer"]
