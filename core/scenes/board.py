"""The truth of a planning picture: a grid map with a start, a goal and holes, and its solver.

Maps use the numbers of the VSP spatial-planning set: 1 start, 2 goal, -1 hole, 0 safe. A move is
one of U, D, L, R; a move off the map leaves the player where it is (the rules in VSP's prompt).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from core.scenes.objects import CELL, PICTURE, SIDE, Box
from core.scenes.split import split_of

START, GOAL, HOLE, SAFE = 1, 2, -1, 0
MOVES = {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}
Rows = tuple[tuple[int, ...], ...]
Square = tuple[int, int]


class BoardLook(NamedTuple):
    """How a board is drawn: what may vary without changing the map."""

    theme: int = 0
    hole: float = 1.0  # size of the holes, 0.8..1
    lean: int = 1  # the goal's flag flies to the right (1) or to the left (-1)
    seed: int = 0  # of the small variation from tile to tile


@dataclass(frozen=True)
class Board:
    """A square map. `offset` is the lattice (row, column) of its upper left square (0 or 1 for 3×3,
    always 0 for larger maps)."""

    rows: Rows
    offset: Square = (0, 0)
    look: BoardLook = BoardLook()

    def __post_init__(self) -> None:
        check_map(self.rows)

    @property
    def size(self) -> int:
        return len(self.rows)

    @property
    def canonical(self) -> str:
        """The map alone: where it sits and how it is drawn do not count."""
        return "board:" + "/".join(",".join(map(str, row)) for row in self.rows)

    @property
    def split(self) -> str:
        """`train`, `validation` or `test`."""
        return split_of(self.canonical)

    @property
    def pitch(self) -> float:
        """Side of a square in px of the 448-px picture: 112 up to 4×4, 448/size beyond."""
        return CELL if self.size <= SIDE else PICTURE / self.size

    def squares(self, value: int) -> list[Square]:
        """The (row, column) of every square with this value, row by row."""
        return [(r, c) for r, row in enumerate(self.rows) for c, v in enumerate(row) if v == value]

    def lattice_cell(self, square: Square) -> int:
        """The lattice cell (image token) that shows a square; only up to 4×4."""
        if self.size > SIDE:
            raise ValueError(f"a {self.size}×{self.size} map is not aligned with the 4×4 lattice")
        return (square[0] + self.offset[0]) * SIDE + square[1] + self.offset[1]

    def box(self, square: Square) -> Box:
        """The pixels of a square in the 448-px picture."""
        top = (square[0] + self.offset[0]) * self.pitch
        left = (square[1] + self.offset[1]) * self.pitch
        return (
            round(left),
            round(top),
            round(left + self.pitch),
            round(top + self.pitch),
        )

    def render(self, size: int = PICTURE) -> Image.Image:
        """The picture, RGB, `size`×`size` px."""
        from core.scenes.tiles import paint_board

        return paint_board(self, size)


def check_map(rows: Rows) -> None:
    """Raises ValueError unless `rows` is a square map with one start and one goal."""
    if not 2 <= len(rows) <= 32 or any(len(row) != len(rows) for row in rows):
        raise ValueError("a map is a square of 2 to 32 rows")
    flat = [value for row in rows for value in row]
    if any(isinstance(v, bool) or v not in (START, GOAL, HOLE, SAFE) for v in flat):
        raise ValueError("a map holds only 1 (start), 2 (goal), -1 (hole) and 0 (safe)")
    if flat.count(START) != 1 or flat.count(GOAL) != 1:
        raise ValueError("a map has exactly one start and one goal")


def locate(rows: Rows, value: int) -> Square:
    """The first square with this value."""
    for r, row in enumerate(rows):
        for c, v in enumerate(row):
            if v == value:
                return r, c
    raise ValueError(f"the map has no square of value {value}")


def shortest(rows: Rows) -> tuple[tuple[str, ...] | None, int]:
    """A shortest safe path as moves, and how many shortest paths there are.

    Breadth first from the goal; `(None, 0)` when the goal cannot be reached.
    """
    size, start, goal = len(rows), locate(rows, START), locate(rows, GOAL)
    far, ways, queue = {goal: 0}, {goal: 1}, [goal]
    for square in queue:
        for dr, dc in MOVES.values():
            near = square[0] + dr, square[1] + dc
            if not (0 <= near[0] < size and 0 <= near[1] < size):
                continue
            if rows[near[0]][near[1]] == HOLE:
                continue
            if near not in far:
                far[near], ways[near] = far[square] + 1, 0
                queue.append(near)
            if far[near] == far[square] + 1:
                ways[near] += ways[square]
    if start not in far:
        return None, 0
    moves, here = [], start
    while here != goal:
        for name, (dr, dc) in MOVES.items():
            there = here[0] + dr, here[1] + dc
            if far.get(there, -1) == far[here] - 1:
                moves.append(name)
                here = there
                break
    return tuple(moves), ways[start]


def walk(rows: Rows, moves: Sequence[str]) -> tuple[list[Square], bool]:
    """The squares visited from the start, and whether the goal is where the walk ends, no hole
    having been entered. A move off the map stays in place; a walk ends in the first hole."""
    size = len(rows)
    visited = [locate(rows, START)]
    for name in moves:
        dr, dc = MOVES[name]
        r, c = visited[-1][0] + dr, visited[-1][1] + dc
        if not (0 <= r < size and 0 <= c < size):
            r, c = visited[-1]
        visited.append((r, c))
        if rows[r][c] == HOLE:
            return visited, False
    return visited, rows[visited[-1][0]][visited[-1][1]] == GOAL


_MOVE_LIST = re.compile(r"[UDLR](?:[\s,]*[UDLR])*", re.IGNORECASE)


def parse_moves(text: str) -> tuple[str, ...] | None:
    """The moves of an answer such as `R,R,D` (commas and spaces are free); None for any other."""
    text = text.strip().rstrip(".")
    if not _MOVE_LIST.fullmatch(text):
        return None
    return tuple(letter for letter in text.upper() if letter in MOVES)


def solves(rows: Rows, moves: Sequence[str]) -> bool:
    """Whether the moves are a shortest safe path from the start to the goal."""
    best, _ = shortest(rows)
    return best is not None and len(moves) == len(best) and walk(rows, moves)[1]
