"""Words as a second mediator, controlled direct effects, the gate, probes: from formulas."""

import numpy as np
import pytest
import torch

from core.study.arms import Arm, Input, Latent
from core.study.crossing import splits_of
from core.study.design import Design
from core.study.pairs import pair_up
from core.study.probing import FEWEST, probes
from core.study.relay import relays_of
from core.study.rows import Row
from tests.core.study.fabricated import answers

SWAP = (Latent("transplant"),)
MEAN = (Latent("step_mean"),)
X = Input("counterfactual")
N = 60


def test_what_words_relay():
    """Free: all answers change; words held: a third; so two thirds go by way of the words."""
    free = Arm("swap", z=SWAP, donor="other answer")
    held = Arm("held", "words", z=SWAP, donor="other answer", words="held")
    once = Arm("once", "words", z=SWAP, donor="other answer", words="none")
    own = Arm("own at once", "reference", words="none")
    design = Design((free, held, once, own), resamples=300)
    third = ["blue" if place % 3 == 0 else "red" for place in range(N)]
    rows = [
        *answers(design.arms[0], ["red"] * N),
        *answers(free, ["blue"] * N),
        *answers(held, third),
        *answers(own, ["green"] * N),  # without words the item's own latents say green
        *answers(once, ["green"] * N),
    ]
    (found,) = relays_of(pair_up(rows, design.arms), design)
    assert (found.arm, found.items) == ("swap", N)
    assert found.free.estimate == 1.0
    assert found.held.estimate == pytest.approx(1 / 3)
    assert found.relayed.estimate == pytest.approx(2 / 3)
    assert found.relayed.low > 0.5
    assert found.at_once.estimate == 0.0  # against the item's own latents without words


def test_words_are_held_in_the_run_on_the_item_alone():
    from core.errors import InputError

    with pytest.raises(InputError, match="hold words"):
        Arm("wrong", x=X, parent="x", z=SWAP, donor="base", words="held")


def crossed(gated: int = 0) -> tuple[list[Row], Design]:
    """m = 1 where the changed picture's answer is chosen; latents carry all of it."""
    total = Arm("input changed", "input", x=X)
    indirect = Arm("z of x'", "mediation", x=X, z=SWAP, donor="x")
    direct = Arm("x', own z", "mediation", x=X, parent="x", z=SWAP, donor="base")
    fixed = Arm("x', mean", "mediation", x=X, parent="x", z=MEAN)
    own = Arm("mean", z=MEAN)
    design = Design((total, indirect, direct, fixed, own), resamples=300)
    spoke = [place >= gated for place in range(N)]
    rows = [
        *answers(design.arms[0], ["red"] * N, imagined=spoke),
        *answers(total, ["blue"] * N, expected="blue"),
    ]
    half = ["blue" if place % 2 else "red" for place in range(N)]
    for arm, said in ((indirect, ["blue"]), (direct, ["red"]), (fixed, half), (own, ["red"])):
        rows += answers(arm, said if len(said) == N else said * N, expected="blue")[gated:]
    return rows, design


def test_the_controlled_direct_effect_is_both_inputs_at_the_same_latents():
    rows, design = crossed()
    found = splits_of(pair_up(rows, design.arms), design)["input changed, choice"]
    assert (found.total.estimate, found.direct.estimate, found.indirect.estimate) == (1, 0, 1)
    assert found.controlled.estimate == pytest.approx(0.5)
    assert found.controlled.low < 0.5 < found.controlled.high


def test_items_that_all_go_one_way_leave_doubt():
    rows, design = crossed()
    found = splits_of(pair_up(rows, design.arms), design)["input changed, choice"]
    assert found.direct.estimate == 0
    assert -0.1 < found.direct.low < 0 < found.direct.high < 0.1
    assert 0.9 < found.pure.low < 1 == found.pure.estimate


def test_an_input_that_opens_the_gate_is_a_stratum_of_its_own():
    rows, design = crossed(gated=12)
    found = splits_of(pair_up(rows, design.arms), design)["input changed, choice"]
    assert (found.items, found.apart, found.gated) == (N - 12, 12, 12)
    assert found.gate.estimate == 1.0


def test_probes_find_what_is_there_and_nothing_where_nothing_is():
    draw = np.random.default_rng(0)
    rows, latents, sites = [], {}, {}
    for place in range(90):
        gold = int(draw.integers(0, 3))
        z = torch.tensor(draw.normal(size=(2, 12)), dtype=torch.float32)
        z[1, gold] += 6
        name = str(place)
        rows.append({"item": name, "task": "t", "gold": str(gold), "cluster": name})
        latents[name], sites[name] = z, torch.tensor(draw.normal(size=(2, 12))).float()
    design = Design((), resamples=300)
    found = {one.site: one for one in probes(latents, sites, rows, design)}
    assert list(found) == ["latent 1", "latent 2", "picture", "downstream"]
    assert found["latent 2"].accuracy.estimate > 0.9
    assert found["latent 2"].selectivity.low > 0.3
    for site in ("latent 1", "picture", "downstream"):
        assert found[site].selectivity.low < 0.1
    assert probes(latents, sites, rows[: FEWEST - 1], design) == []
