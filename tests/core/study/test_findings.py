"""The published findings asked again, from rows whose truth is known."""

import pytest
import torch

from core.study.arms import Arm, Input, Latent
from core.study.design import Design
from core.study.effects import effects_of
from core.study.findings import findings
from core.study.pairs import pair_up
from core.study.sections import published
from core.study.study import Study
from core.study.verdict import Verdict
from tests.core.study.fabricated import answers, dosed

N = 100
NO_IMAGE = Input("no image")
CHANGED = Arm("another item's input", "input", x=Input("swap both"))
SWAP = Arm("swap, other answer", z=(Latent("transplant"),), donor="other answer")
NOISE = Arm("noise", z=(Latent("gaussian", dose=1.0),))
ALONE = Arm("question alone", "probe", x=NO_IMAGE, force=True)
OWN = Arm(
    "latents alone", "probe", x=NO_IMAGE, parent="x", z=(Latent("transplant"),), donor="base",
    force=True,
)  # fmt: skip
RIGHT, WRONG = ["red"] * N, ["blue"] * N
GUESSED = ["red" if place % 5 == 0 else "blue" for place in range(N)]


def found(moved, noisy, own, swap_dose=0.5):
    """The three findings of a study with these answers."""
    design = Design((CHANGED, SWAP, NOISE, ALONE, OWN), resamples=300)
    rows = [
        *answers(design.arms[0], RIGHT),
        *answers(CHANGED, WRONG, moved=[moved + 0.001 * (place % 7) for place in range(N)]),
        *answers(SWAP, noisy, receipts=[dosed(swap_dose)] * N),
        *answers(NOISE, noisy, receipts=[dosed(1.0)] * N),
        *answers(ALONE, GUESSED),
        *answers(OWN, own),
    ]
    pairs = pair_up(rows, design.arms)
    study = Study(
        design, {}, tuple(rows), (), pairs, effects_of(pairs, design), {}, Verdict("", "", {})
    )
    torch.manual_seed(0)
    latents = {f"item{place}": torch.randn(4, 8) for place in range(20)}
    sites = {name: torch.randn(2, 8) for name in latents}
    return study, findings(study, latents, sites)


def test_a_model_that_bypasses_its_latents_shows_all_three():
    study, said = found(0.02, RIGHT, GUESSED)
    assert [one.name for one in said] == ["inputs → latents", "latents → answers", "latents probed"]
    assert [one.holds for one in said] == [True, True, True]
    assert "barely move: each by less than the 0.1" in said[0].says
    assert "one-sided test" in said[0].says
    assert "all 2 edits with a dose of ε ≥ 0.1 are equivalent to none" in said[1].says
    assert "little visual information: less than 25%" in said[2].says
    page = published(said, study)
    assert page.count("<figure") == 5  # a figure each, and the grids raw and centred
    assert "no effect" not in page
    assert "+80.0 points" in said[2].says  # the picture's own gain over the question alone


def test_a_model_that_lives_by_its_latents_shows_none():
    _, said = found(0.6, WRONG, RIGHT)
    assert [one.holds for one in said] == [False, False, False]
    assert "latents move: each by more than" in said[0].says
    assert "answers move: all 2 edits" in said[1].says


def test_what_is_not_shown_is_left_open():
    few = ["blue" if place < 4 else "red" for place in range(N)]
    half = ["red" if place % 5 == 0 or place % 3 == 0 else "blue" for place in range(N)]
    _, said = found(0.097, few, half)
    assert [one.holds for one in said] == [None, None, None]
    assert "not shown to move by less than" in said[0].says
    assert "inconclusive" in said[1].says
    assert "not settled" in said[2].says


def test_a_swap_between_equal_latents_tests_nothing():
    _, said = found(0.02, RIGHT, GUESSED, swap_dose=0.02)
    assert "swap, other answer (ε = 0.02, too little to test anything)" in said[1].says
    assert "the only one of the edits with a dose" in said[1].says


def test_cosines_are_those_of_the_latents():
    _, said = found(0.02, RIGHT, GUESSED)
    assert len(said[0].raw) == 4
    assert said[0].pictures is not None
    for panel in said[0].raw:
        assert panel.diagonal().tolist() == pytest.approx([1] * 20)
