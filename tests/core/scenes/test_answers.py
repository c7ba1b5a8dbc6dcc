"""Answers are read off the drawn pixels by another route than the one that made them."""

import itertools
from collections import Counter

import numpy as np
import pytest

from core import scenes
from core.scenes.board import MOVES

CELL = 112


def items_of(task: str, count: int = 8) -> list[scenes.Item]:
    return list(itertools.islice(scenes.stream(task, "test", seed=5), count))


def seen_objects(picture: np.ndarray) -> dict[int, tuple[str, str]]:
    """Cell to (shape, colour), from a (448, 448, 3) picture alone."""
    names, palette = list(scenes.COLOURS), np.array(list(scenes.COLOURS.values()), dtype=float)
    found = {}
    for cell in range(16):
        row, column = divmod(cell, 4)
        part = picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        distance = np.linalg.norm(part[:, :, None, :] - palette, axis=3)  # (112, 112, 6)
        counts = Counter(distance.argmin(axis=2)[distance.min(axis=2) < 34].tolist())
        if counts and counts.most_common(1)[0][1] > 600:
            colour = counts.most_common(1)[0][0]
            mask = distance[:, :, colour] < 34
            found[cell] = (shape_of(mask), names[colour])
    return found


def shape_of(mask: np.ndarray) -> str:
    """From the outline's distance to the centroid as a function of the angle: its harmonics."""
    y, x = np.nonzero(mask)
    dy, dx = y - y.mean(), x - x.mean()
    bins = ((np.arctan2(dy, dx) + np.pi) / (2 * np.pi) * 72).astype(int) % 72
    radius = np.array([np.hypot(dx, dy)[bins == k].max(initial=0.0) for k in range(72)])
    power = np.abs(np.fft.rfft(radius))[1:8] / np.abs(np.fft.rfft(radius))[0]
    strongest = int(power.argmax()) + 1
    if power.max() < 0.045:
        return "circle"
    if strongest == 4:
        return "cross" if np.ptp(radius) > 0.42 * radius.max() else "square"
    if strongest == 5:
        return "star"
    up, down = radius[14:23].max(), radius[50:59].max()
    return "triangle" if up > down else "heart"


def answer_from(question: str, objects: dict[int, tuple[str, str]]) -> str:
    """A reader of the questions that knows nothing of `Question`."""
    words = question.lower().replace("?", "").replace(":", "").replace(",", "").split()
    singular = {**{s: s for s in scenes.SHAPES}, **{s + "s": s for s in scenes.SHAPES}}
    singular["crosses"] = "cross"
    named = [
        singular.get(w, w)
        for w in words
        if singular.get(w, w) in scenes.SHAPES or w in scenes.COLOURS
    ]
    cells = [[c for c, looks in objects.items() if name in looks] for name in named]
    if words[0] == "how":
        return str(len(cells[0]))
    assert all(len(found) == 1 for found in cells)
    if words[0] == "what":
        return objects[cells[0][0]][0 if words[1] == "shape" else 1]
    row, column = divmod(cells[0][0], 4)
    if words[0] == "where":
        return f"row {row + 1}, column {column + 1}"
    (first,), (second,) = cells if words[0] == "is" else reversed(cells)
    down, across = first // 4 - second // 4, first % 4 - second % 4
    assert (down == 0) != (across == 0)
    if down:
        return "below" if down > 0 else "above"
    return "right" if across > 0 else "left"


@pytest.mark.parametrize("task", scenes.TASKS[:-1])
def test_objects_and_answers_are_what_the_pixels_show(task: str):
    for item in items_of(task):
        for one in (item, item.counterfactual):
            objects = seen_objects(np.asarray(one.image, dtype=float))
            truth = {f.cell: (f.shape, f.colour) for f in one.scene.figures}
            assert objects == truth
            assert answer_from(one.question, objects) == one.answer
            assert 3 <= len(objects) <= 8


def seen_map(picture: np.ndarray, offset: tuple[int, int], size: int) -> list[list[int]]:
    """The map, from the pixels: a blue pawn, a red flag, dark holes."""
    rows = []
    for r in range(size):
        rows.append([])
        for c in range(size):
            top, left = (r + offset[0]) * CELL, (c + offset[1]) * CELL
            part = picture[top + 10 : top + 102, left + 10 : left + 102].reshape(-1, 3)
            red, green, blue = part.T
            if ((blue > 150) & (red < 40)).mean() > 0.1:
                rows[-1].append(1)
            elif ((red > 190) & (green < 80)).mean() > 0.05:
                rows[-1].append(2)
            else:
                rows[-1].append(-1 if (part.mean(axis=1) < 110).mean() > 0.2 else 0)
    return rows


def all_paths(rows: list[list[int]], most: int) -> list[str]:
    """Every safe path of up to `most` moves without a repeated square, by exhaustion."""
    size = len(rows)
    (start,) = [(r, c) for r in range(size) for c in range(size) if rows[r][c] == 1]
    open_paths, found = [((start,), "")], []
    while open_paths:
        squares, moves = open_paths.pop()
        r, c = squares[-1]
        if rows[r][c] == 2:
            found.append(",".join(moves))
        elif len(moves) < most:
            for name, (dr, dc) in MOVES.items():
                there = r + dr, c + dc
                inside = 0 <= there[0] < size and 0 <= there[1] < size
                if inside and there not in squares and rows[there[0]][there[1]] != -1:
                    open_paths.append(((*squares, there), moves + name))
    return found


def test_a_plan_is_the_only_shortest_path_of_the_map_in_the_pixels():
    for item in items_of("plan", 25):
        for one in (item, item.counterfactual):
            rows = seen_map(np.asarray(one.image, dtype=float), one.scene.offset, one.scene.size)
            assert tuple(map(tuple, rows)) == one.scene.rows
            paths = all_paths(rows, len(one.answer.split(",")))
            assert paths == [one.answer]


def test_the_frame_of_a_small_board_is_empty_and_every_place_is_used():
    offsets = Counter()
    for item in items_of("plan", 120):
        if item.scene.size == 3:
            offsets[item.scene.offset] += 1
    assert set(offsets) == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("task", scenes.TASKS[:-1])
def test_the_evidence_box_is_where_the_evidence_is_drawn(task: str):
    for item in items_of(task):
        asked = set(item.target_cells)
        without = scenes.ObjectScene(
            tuple(f for f in item.scene.figures if f.cell not in asked), item.scene.backdrop
        )
        full, empty = (np.asarray(p, dtype=int) for p in (item.image, without.render()))
        rows, columns = np.nonzero(np.abs(full - empty).max(axis=2) > 72)  # more than a shadow
        if not asked:
            assert item.evidence_box == (0, 0, 448, 448)
            assert len(rows) == 0
            continue
        seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert np.abs(np.subtract(seen, item.evidence_box)).max() <= 3
        assert item.evidence_box[0] <= seen[0]
        assert item.evidence_box[1] <= seen[1]
        assert item.evidence_box[2] >= seen[2]
        assert item.evidence_box[3] >= seen[3]


def test_the_evidence_of_a_plan_is_its_path():
    for item in items_of("plan"):
        left, top, right, bottom = item.evidence_box
        squares = [divmod(cell, 4) for cell in item.target_cells]
        assert (left, right) == (
            min(c for _, c in squares) * CELL,
            (max(c for _, c in squares) + 1) * CELL,
        )
        assert (top, bottom) == (
            min(r for r, _ in squares) * CELL,
            (max(r for r, _ in squares) + 1) * CELL,
        )
        steps = [
            {(-1, 0): "U", (1, 0): "D", (0, -1): "L", (0, 1): "R"}[b[0] - a[0], b[1] - a[1]]
            for a, b in itertools.pairwise(squares)
        ]
        assert ",".join(steps) == item.answer
