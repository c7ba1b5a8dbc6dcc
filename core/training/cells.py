"""What is true of each of the sixteen cells of a picture: the tower's dense supervision.

A cell is one image token. Ten questions are asked of every token while the tower is trained; the
linear head that answers them is thrown away afterwards. -1 marks a question that has no answer in
that cell (the colour of an empty cell is an answer: none).
"""

from __future__ import annotations

import torch
from torch import Tensor

from core import scenes
from core.scenes.board import GOAL, HOLE, MOVES, START
from core.scenes.questions import path

CELLS = 16
SIDE = 4

# Question -> number of answers.
HEADS = {
    "row": SIDE,
    "column": SIDE,
    "shape": len(scenes.SHAPES) + 1,
    "colour": len(scenes.COLOURS) + 1,
    "same shape": 9,  # how many objects of this cell's shape, itself included
    "same colour": 9,
    "square": 5,  # outside the map, safe, hole, start, goal
    "distance": 10,  # moves to the goal; 9 for nine or more, or no way
    "next": 5,  # the only best move U, D, L, R; 4 where several are equally good
    "path": 10,  # place on the path from the start, 9 beside it
}
_SHAPES = {name: k for k, name in enumerate(scenes.SHAPES)}
_COLOURS = {name: k for k, name in enumerate(scenes.COLOURS)}


def labels(scene: scenes.ObjectScene | scenes.Board) -> Tensor:
    """The answers (16, 10) of one scene, in the order of `HEADS`; -1 where there is none."""
    answers = torch.full((CELLS, len(HEADS)), -1, dtype=torch.long)
    cell = torch.arange(CELLS)
    answers[:, 0], answers[:, 1] = cell // SIDE, cell % SIDE
    if isinstance(scene, scenes.Board):
        _board(scene, answers)
    else:
        _objects(scene, answers)
    return answers


def _objects(scene: scenes.ObjectScene, answers: Tensor) -> None:
    answers[:, 2], answers[:, 3] = len(_SHAPES), len(_COLOURS)
    for figure in scene.figures:
        answers[figure.cell, 2] = _SHAPES[figure.shape]
        answers[figure.cell, 3] = _COLOURS[figure.colour]
        answers[figure.cell, 4] = len(scene.find("shape", figure.shape))
        answers[figure.cell, 5] = len(scene.find("colour", figure.colour))


def _board(board: scenes.Board, answers: Tensor) -> None:
    answers[:, 6] = 0
    far = _distances(board)
    for r, row in enumerate(board.rows):
        for c, value in enumerate(row):
            cell = board.lattice_cell((r, c))
            answers[cell, 6] = {HOLE: 2, START: 3, GOAL: 4}.get(value, 1)
            if value == HOLE:
                continue
            answers[cell, 7] = min(far.get((r, c), 9), 9)
            answers[cell, 9] = 9
            if (r, c) in far and value != GOAL:
                best = [
                    k
                    for k, (dr, dc) in enumerate(MOVES.values())
                    if far.get((r + dr, c + dc), -1) == far[(r, c)] - 1
                ]
                answers[cell, 8] = best[0] if len(best) == 1 else 4
    for place, square in enumerate(path(board)):
        answers[board.lattice_cell(square), 9] = min(place, 8)


def _distances(board: scenes.Board) -> dict[tuple[int, int], int]:
    """Moves to the goal of every square from which it can be reached."""
    queue = board.squares(GOAL)
    far = {queue[0]: 0}
    for square in queue:
        for dr, dc in MOVES.values():
            near = square[0] + dr, square[1] + dc
            inside = 0 <= near[0] < board.size and 0 <= near[1] < board.size
            if inside and near not in far and board.rows[near[0]][near[1]] != HOLE:
                far[near] = far[square] + 1
                queue.append(near)
    return far
