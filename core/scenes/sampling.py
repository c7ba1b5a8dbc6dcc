"""Items by task, split and seed: `sample`, the endless `stream`, and the `gallery`.

Item k of a stream is drawn by a generator seeded with (task, sizes, split, seed, k): it does not
depend on how many items are asked for, on the process or on Python's hash seed. A drawn scene of
another split is rejected, and so is one without a counterfactual in the same split.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random

from core.errors import InputError
from core.scenes import object_tasks, plan_task
from core.scenes.item import Item
from core.scenes.questions import TASKS, Question, Scene, answer_for
from core.scenes.split import SPLITS, fingerprint, generator

# The question, the scene, its counterfactual and the options.
Drawn = tuple[Question, Scene, Scene, tuple[str, ...]]

_TRIES = 4000  # draws for one aim before another aim is taken
_BARREN = 400  # repeats in a row after which `sample` gives up


def stream(
    task: str, split: str = "train", seed: int = 0, sizes: Sequence[int] = (3, 4)
) -> Iterator[Item]:
    """Items for ever; nothing is drawn until an item's picture is asked for. Scenes may repeat.

    Args:
        task: one of `TASKS`.
        split: `train`, `validation` or `test`.
        seed: any whole number; streams of different seeds are independent.
        sizes: planning only: the sizes of the boards, of 3, 4 and 5.

    Raises:
        InputError: for an unknown task, split or size.
    """
    sizes = tuple(sizes)
    if task not in TASKS:
        raise InputError(f"There is no task {task!r}; choose one of {', '.join(TASKS)}.")
    if split not in SPLITS:
        raise InputError(f"There is no split {split!r}; choose one of {', '.join(SPLITS)}.")
    if not sizes or not set(sizes) <= set(plan_task.LONGEST):
        raise InputError(f"Boards come in sizes 3, 4 and 5, not {sizes}; change sizes.")
    return (_item(task, split, seed, index, sizes) for index in itertools.count())


def sample(
    task: str,
    split: str = "test",
    seed: int = 0,
    n: int = 100,
    sizes: Sequence[int] = (3, 4),
    size: int | None = None,
) -> list[Item]:
    """The first `n` items of the stream whose scenes all differ.

    Args:
        task, split, seed, sizes: as in `stream`.
        n: how many items. Every object task holds thousands in every split; boards of 3×3 alone
            give about 120 in test, as few maps of that size have a counterfactual there too.
        size: planning only: one size of board, the same as `sizes=(size,)`.

    Raises:
        InputError: as `stream`, or when the split does not hold `n` different scenes.
    """
    seen: set[str] = set()
    items: list[Item] = []
    barren = 0
    source = stream(task, split, seed, sizes if size is None else (size,))
    while len(items) < n:
        item = next(source)
        barren += 1
        if item.scene.canonical not in seen:
            seen.add(item.scene.canonical)
            items.append(item)
            barren = 0
        elif barren > _BARREN:
            raise InputError(
                f"The {split} split holds about {len(items)} different {task} scenes, "
                f"not {n}; ask for fewer."
            )
    return items


def gallery(seed: int = 0) -> list[Item]:
    """The 24 example items: the first five test items of every task, planning only four.

    The rule is fixed and blind: items are taken in the order the test stream of `seed` gives them,
    whatever any model answers; none is left out or exchanged.
    """
    return [
        item for task in TASKS for item in sample(task, "test", seed, n=4 if task == "plan" else 5)
    ]


def _item(task: str, split: str, seed: int, index: int, sizes: tuple[int, ...]) -> Item:
    sort = f"{task}{sizes}" if task == "plan" else task
    rng = generator("item", sort, split, seed, index)
    name = f"{task}-{split}-{fingerprint(sort, split, seed, index)}"
    while True:
        drawn = (
            _drawn_plan(rng, split, sizes) if task == "plan" else _drawn_objects(task, rng, split)
        )
        if drawn is None:
            continue
        asked, scene, other, options = drawn
        return Item(task, split, name, asked, scene, other, options)


def _drawn_objects(task: str, rng: Random, split: str) -> Drawn | None:
    aim = object_tasks.aim(task, rng)
    for _ in range(_TRIES):
        scene = object_tasks.layout(aim, rng)
        if scene.split != split:
            continue
        for other in object_tasks.changes(aim.question, scene, rng):
            if other.split == split:
                answers = answer_for(aim.question, scene), answer_for(aim.question, other)
                options = object_tasks.options(aim.question, answers, rng)
                dressed = object_tasks.dressed(scene, other, rng)
                return aim.question, *dressed, options
    return None


def _drawn_plan(rng: Random, split: str, sizes: tuple[int, ...]) -> Drawn | None:
    aim = plan_task.aim(sizes, rng)
    for _ in range(_TRIES):
        board = plan_task.layout(aim, rng)
        if board is None or board.split != split:
            continue
        for other in plan_task.changes(board, rng):
            if other.split == split and plan_task.differs(board, other):
                answers = answer_for(aim.question, board), answer_for(aim.question, other)
                options = plan_task.options(answers, rng)
                dressed = plan_task.dressed(board, other, rng)
                return aim.question, *dressed, options
    return None
