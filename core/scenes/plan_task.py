"""Draws planning boards whose shortest safe path is unique, of balanced length, and their
counterfactual boards, in which one square differs.

Uniqueness makes `item.answer` the only right answer. A path has at most seven moves on 3×3 and 4×4,
so that its start and its squares fit eight latents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import NamedTuple

from core.scenes.board import (
    GOAL,
    HOLE,
    MOVES,
    SAFE,
    START,
    Board,
    BoardLook,
    Rows,
    Square,
    locate,
    shortest,
)
from core.scenes.objects import SIDE
from core.scenes.questions import PLAN_QUESTIONS, Question
from core.scenes.tiles import THEMES

# Longest path asked for, by size. On 3×3 only a handful of maps have six moves, too few to split.
LONGEST = {3: 5, 4: 7, 5: 9}
_LONGEST_CHANGED = {3: 7, 4: 7, 5: 11}


class PlanAim(NamedTuple):
    """The question, the board's size and the number of moves."""

    question: Question
    size: int
    length: int


def aim(sizes: tuple[int, ...], rng: Random) -> PlanAim:
    """A size and a path length, each equally likely."""
    size = rng.choice(sizes)
    question = Question("plan", wording=rng.randrange(len(PLAN_QUESTIONS)))
    return PlanAim(question, size, rng.randint(1, LONGEST[size]))


def layout(goal: PlanAim, rng: Random) -> Board | None:
    """A board whose only shortest path has `goal.length` moves; None when the draw missed."""
    squares = _trail(goal.size, goal.length, rng)
    if squares is None:
        return None
    density = rng.uniform(0.15, 0.85)
    grid = [
        [HOLE if rng.random() < density else SAFE for _ in range(goal.size)]
        for _ in range(goal.size)
    ]
    for r, c in squares:
        grid[r][c] = SAFE
    grid[squares[0][0]][squares[0][1]] = START
    grid[squares[-1][0]][squares[-1][1]] = GOAL
    rows = tuple(map(tuple, grid))
    moves, ways = shortest(rows)
    return Board(rows) if moves is not None and ways == 1 and len(moves) == goal.length else None


def _trail(size: int, length: int, rng: Random) -> list[Square] | None:
    """A random walk that touches itself nowhere: only such a walk can be a shortest path."""
    squares = [(rng.randrange(size), rng.randrange(size))]
    for _ in range(length):
        choices = []
        for dr, dc in MOVES.values():
            r, c = squares[-1][0] + dr, squares[-1][1] + dc
            free = 0 <= r < size and 0 <= c < size
            if free and all(abs(r - a) + abs(c - b) > 1 for a, b in squares[:-1]):
                choices.append((r, c))
        if not choices:
            return None
        squares.append(rng.choice(choices))
    return squares


def changes(board: Board, rng: Random) -> Iterator[Board]:
    """Boards that differ in one square's being a hole, or else in where the goal is, and in their
    only shortest path; each group in random order."""
    rows, size = board.rows, board.size
    free = [(r, c) for r in range(size) for c in range(size) if rows[r][c] in (HOLE, SAFE)]
    rng.shuffle(free)
    goal = locate(rows, GOAL)
    toggled = (_with(rows, {s: SAFE if rows[s[0]][s[1]] == HOLE else HOLE}) for s in free)
    moved = (_with(rows, {s: GOAL, goal: SAFE}) for s in free if rows[s[0]][s[1]] == SAFE)
    for group in (toggled, moved):
        for changed in group:
            yield replace(board, rows=changed)


def differs(board: Board, changed: Board) -> bool:
    """Whether the changed board has one shortest path, short enough, that differs."""
    moves, ways = shortest(changed.rows)
    if moves is None or ways != 1 or len(moves) > _LONGEST_CHANGED[board.size]:
        return False
    return moves != shortest(board.rows)[0]


def _with(rows: Rows, values: dict[Square, int]) -> Rows:
    return tuple(
        tuple(values.get((r, c), value) for c, value in enumerate(row))
        for r, row in enumerate(rows)
    )


def dressed(board: Board, other: Board, rng: Random) -> tuple[Board, Board]:
    """Both boards at the same random place, drawn the same way."""
    room = SIDE - board.size + 1 if board.size <= SIDE else 1
    offset = rng.randrange(room), rng.randrange(room)
    look = BoardLook(
        rng.randrange(len(THEMES)), rng.uniform(0.8, 1.0), rng.choice((-1, 1)), rng.getrandbits(32)
    )
    return replace(board, offset=offset, look=look), replace(other, offset=offset, look=look)


def options(answers: tuple[str, str], rng: Random) -> tuple[str, ...]:
    """Four: both answers, and of each an image under the square's turns and mirrors.

    Each answer has a companion of its length and form, so the options do not tell which is right.
    """
    chosen = list(answers)
    for answer in answers:
        chosen.append(rng.choice([image for image in _images(answer) if image not in chosen]))
    rng.shuffle(chosen)
    return tuple(chosen)


def _images(answer: str) -> list[str]:
    """The path turned and mirrored: at least four different ones, itself included."""
    found, text = [], answer
    for _ in range(4):
        text = text.translate(str.maketrans("URDL", "RDLU"))
        found += [text, text.translate(str.maketrans("LR", "RL"))]
    return found
