"""What is asked of a scene, and the answer that follows from the scene alone.

A `Question` is structured (what it names, not only its words), so the same question can be put to
another scene: to the minimal counterfactual, or to a donor whose latents are swapped in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.scenes.board import Board, parse_moves, shortest, solves, walk
from core.scenes.objects import SIDE, Figure, ObjectScene
from core.scenes.palette import COLOURS, PLURALS, SHAPES

Scene = ObjectScene | Board

TASKS = ("attribute", "relative", "where", "count", "plan")
RELATIONS = ("left", "right", "above", "below")
PLAN_QUESTIONS = (
    "Find the shortest path from the start to the goal that avoids the holes. "
    "Answer with moves U, D, L, R.",
    "Which moves (U, D, L, R) lead from the start to the goal by the shortest path without a hole?",
)


@dataclass(frozen=True)
class Question:
    """`by` is "shape" or "colour": how objects are named; `name` the (first) one's value, `other`
    the second one's (relative only). `wording` picks a template. Planning uses only `wording`."""

    task: str
    by: str = ""
    name: str = ""
    other: str = ""
    wording: int = 0

    @property
    def text(self) -> str:
        """The question in words."""
        if self.task == "attribute":
            asked = "colour" if self.by == "shape" else "shape"
            return f"What {asked} is the {_noun(self.by, self.name)}?"
        if self.task == "where":
            return f"Where is the {_noun(self.by, self.name)}?"
        if self.task == "count":
            return f"How many {_nouns(self.by, self.name)} are there?"
        if self.task == "relative":
            first, second = _noun(self.by, self.name), _noun(self.by, self.other)
            if self.wording == 0:
                return f"Is the {first} left of, right of, above or below the {second}?"
            return f"On which side of the {second} is the {first}: left, right, above or below?"
        return PLAN_QUESTIONS[self.wording]


def _noun(by: str, name: str) -> str:
    return name if by == "shape" else f"{name} object"


def _nouns(by: str, name: str) -> str:
    return PLURALS[name] if by == "shape" else f"{name} objects"


def evidence(question: Question, scene: Scene) -> tuple[Figure, ...]:
    """The objects the answer depends on, in the order the question needs them.

    Raises:
        ValueError: the question names an object that the scene holds never or twice.
    """
    if isinstance(scene, Board) or question.task == "plan":
        return ()
    if question.task == "count":
        return scene.find(question.by, question.name)
    names = [question.name] + ([question.other] if question.task == "relative" else [])
    found = [scene.find(question.by, name) for name in names]
    if any(len(figures) != 1 for figures in found):
        raise ValueError(f"the scene does not hold exactly one of each: {', '.join(names)}")
    return tuple(figures[0] for figures in found)


def answer_for(question: Question, scene: Scene) -> str:
    """The true answer. Raises ValueError when the scene leaves the question open."""
    if isinstance(scene, Board):
        moves, ways = shortest(scene.rows)
        if question.task != "plan" or moves is None or ways != 1:
            raise ValueError("the map has no unique shortest path, or the question is of objects")
        return ",".join(moves)
    figures = evidence(question, scene)
    if question.task == "attribute":
        return figures[0].colour if question.by == "shape" else figures[0].shape
    if question.task == "where":
        return place(figures[0].cell)
    if question.task == "count":
        return str(len(figures))
    if question.task == "relative":
        return relation(figures[0].cell, figures[1].cell)
    raise ValueError("a planning question needs a board")


def place(cell: int) -> str:
    """A lattice cell in words: `row 2, column 3`, counted from 1."""
    return f"row {cell // SIDE + 1}, column {cell % SIDE + 1}"


def relation(first: int, second: int) -> str:
    """Where the first cell lies from the second, which is in the same row or column."""
    (r1, c1), (r2, c2) = divmod(first, SIDE), divmod(second, SIDE)
    if (r1 == r2) == (c1 == c2):
        raise ValueError(f"cells {first} and {second} share no row or column, or are one")
    if r1 == r2:
        return "left" if c1 < c2 else "right"
    return "above" if r1 < r2 else "below"


def target_cells(question: Question, scene: Scene) -> tuple[int, ...]:
    """The lattice cells (image tokens, row by row) that carry the evidence, in order.

    Attribute and where: the object's. Relative: the first object's, the second's. Count: every
    counted object's (none when the answer is 0). Plan: the start's and the path's, to the goal's;
    empty on maps larger than the lattice.
    """
    if isinstance(scene, Board):
        if scene.size > SIDE:
            return ()
        return tuple(scene.lattice_cell(square) for square in path(scene))
    return tuple(figure.cell for figure in evidence(question, scene))


def path(board: Board) -> list[tuple[int, int]]:
    """The (row, column) squares of a shortest path, start and goal included."""
    moves, _ = shortest(board.rows)
    if moves is None:
        raise ValueError("the goal of this map cannot be reached")
    return walk(board.rows, moves)[0]


def sentence_for(question: Question, scene: Scene) -> str:
    """One sentence that says what must be imagined to answer."""
    if isinstance(scene, Board):
        row, column = scene.offset if scene.size <= SIDE else (0, 0)
        steps = ", ".join(f"({r + row + 1},{c + column + 1})" for r, c in path(scene))
        return f"The path goes through {steps}."
    figures = evidence(question, scene)
    if question.task == "count":
        if len(figures) == 1:
            return f"There is 1 {_noun(question.by, question.name)}."
        return f"There are {len(figures)} {_nouns(question.by, question.name)}."
    first = f"The {_noun(question.by, question.name)} is"
    if question.task == "attribute":
        seen = figures[0].colour if question.by == "shape" else f"a {figures[0].shape}"
        return f"{first} {seen} at {place(figures[0].cell)}."
    if question.task == "where":
        return f"{first} at {place(figures[0].cell)}."
    second = f"the {_noun(question.by, question.other)} is"
    return f"{first} at {place(figures[0].cell)} and {second} at {place(figures[1].cell)}."


def answer_is_right(question: Question, scene: Scene, text: str) -> bool:
    """Whether `text` answers the question: a shortest safe path, or the same words."""
    if isinstance(scene, Board):
        moves = parse_moves(text)
        return moves is not None and solves(scene.rows, moves)
    return normalised(text) == normalised(answer_for(question, scene))


def normalised(text: str) -> str:
    """Case, outer and repeated white space, and a final stop do not matter."""
    return re.sub(r"\s+", " ", text).strip().rstrip(".").strip().casefold()


def transferred(question: Question, donor: Question, donor_scene: Scene) -> str | None:
    """The answer to `question` read at the evidence of another item (interchange).

    What a model must say when another item's latents, which carry that item's evidence, replace
    its own: the colour of the donor's region, its place, how the donor's first cell lies from its
    second, how many the donor counted, the donor's path. None where the donor's evidence does not
    determine an answer.
    """
    if isinstance(donor_scene, Board) or "plan" in (question.task, donor.task):
        same = isinstance(donor_scene, Board) and question.task == donor.task == "plan"
        return answer_for(donor, donor_scene) if same else None
    if "count" in (question.task, donor.task):
        return answer_for(donor, donor_scene) if question.task == donor.task else None
    figures = evidence(donor, donor_scene)
    if question.task == "attribute":
        return figures[0].colour if question.by == "shape" else figures[0].shape
    if question.task == "where":
        return place(figures[0].cell)
    return relation(figures[0].cell, figures[1].cell) if len(figures) == 2 else None


def _all_words() -> tuple[str, ...]:
    """Every word, number and mark of the closed vocabulary, from the templates themselves."""
    texts = [*PLAN_QUESTIONS, "There is 1", "There are 0", "The path goes through (1,1), (1,2)."]
    texts += ["a at row 1, column 2 and the is", *RELATIONS, "R,L,U,D", *map(str, range(10))]
    for task in TASKS[:-1]:
        for by, values in (("shape", SHAPES), ("colour", tuple(COLOURS))):
            for wording in (0, 1):
                texts += [Question(task, by, v, v, wording).text for v in values]
                texts += list(values)
    found = {token for text in texts for token in split_words(text)}
    return tuple(sorted(found))


def split_words(text: str) -> list[str]:
    """A text as words, single digits and single marks, without its spaces."""
    return re.findall(r"[A-Za-z]+|\d|[^\sA-Za-z\d]", text)


WORDS = _all_words()
