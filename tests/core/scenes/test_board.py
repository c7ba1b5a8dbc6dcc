"""Maps, walks and answers in moves."""

import pytest

from core import scenes
from core.scenes.board import check_map, parse_moves, shortest, solves, walk

MAP = ((1, 0, 0), (-1, -1, 0), (2, 0, 0))


def test_the_solver_goes_around_the_holes():
    assert shortest(MAP) == (("R", "R", "D", "D", "L", "L"), 1)
    assert shortest(((1, 0), (0, 2)))[1] == 2
    assert shortest(((1, -1), (-1, 2))) == (None, 0)


def test_a_walk_stays_on_the_map_and_ends_in_the_first_hole():
    assert walk(MAP, "UUL") == ([(0, 0)] * 4, False)
    assert walk(MAP, "RDL") == ([(0, 0), (0, 1), (1, 1)], False)
    assert walk(MAP, "RRDDLL")[1]
    assert walk(MAP, "URRDDLL")[1]
    assert not walk(MAP, "RRDDLLR")[1]


def test_only_a_shortest_safe_path_solves():
    assert solves(MAP, "RRDDLL")
    assert not solves(MAP, "URRDDLL")
    assert not solves(MAP, "RRDD")
    assert not solves(MAP, "D")
    assert solves(((1, 0), (0, 2)), "RD")
    assert solves(((1, 0), (0, 2)), "DR")


@pytest.mark.parametrize("text", ["R,R,D", "RRD", "r, r, d", " R R D. ", "R,R,D."])
def test_moves_are_read_whatever_separates_them(text: str):
    assert parse_moves(text) == ("R", "R", "D")


@pytest.mark.parametrize("text", ["", "right, down", "R,R,X", "RRD because", ",", "R;D"])
def test_other_texts_are_no_moves(text: str):
    assert parse_moves(text) is None


@pytest.mark.parametrize(
    "rows",
    [
        (),
        ((1, 2),),
        ((1, 0), (0, 0)),
        ((1, 2), (2, 0)),
        ((1, 2), (0, 3)),
        ((1, 2, 0), (0, 0, 0)),
        ((True, 2), (0, 0)),
        ((1, 2), (0,)),
    ],
)
def test_a_broken_map_is_refused(rows: tuple):
    with pytest.raises(ValueError, match="a map"):
        check_map(rows)


def test_squares_fall_on_the_lattice():
    board = scenes.Board(MAP, offset=(1, 1))
    assert board.lattice_cell((0, 0)) == 5
    assert board.lattice_cell((2, 2)) == 15
    assert board.box((0, 2)) == (336, 112, 448, 224)
    with pytest.raises(ValueError, match="lattice"):
        scenes.sample("plan", n=1, size=5)[0].scene.lattice_cell((0, 0))
