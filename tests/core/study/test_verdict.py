"""Models of known truth, as rows: the tree must find each, and say no more than it can."""

import os

import numpy as np
import pytest
from scipy.stats import binom

from core.families import get
from core.study.arms import Arm
from core.study.crossing import splits_of
from core.study.design import Design
from core.study.effects import effects_of
from core.study.pairs import pair_up
from core.study.presets import preset
from core.study.rows import Row
from core.study.validation import Check, controls
from core.study.verdict import Evidence, Verdict, judge
from tests.core.study.fabricated import answers, dosed

SOUND = (Check("identity edit is bit-exact", True, "max |Δlogit| = 0"),)
N = 300
STUDIES = int(os.environ.get("ZSCOPE_SIMULATIONS", "40"))
# what is at most 5 % stays below this but one time in 1,000
MOST = 0.05 + 3 * (0.05 * 0.95 / STUDIES) ** 0.5


def of(
    found: dict[str, list[str | None]],
    n: int = N,
    family: str = "monet",
    checks: tuple[Check, ...] = SOUND,
    imagined: list[bool] | None = None,
    **more: object,
) -> Verdict:
    """The verdict on a model that answers red, except where ``found`` says else."""
    known = get(family)
    arms = preset("quick", known)
    design = Design(arms, resamples=300)
    rows: list[Row] = []
    for arm in arms:
        given = found.get(arm.name)
        if given is None and arm.role in ("input", "blind"):
            given = ["blue"] * n
        more_here: dict[str, object] = {"imagined": imagined} if imagined else {}
        if arm.z and arm.locus in ("content", "slot"):
            zero = arm.role == "identity"
            more_here["receipts"] = [dosed(0.0 if zero else float(more.get("dose", 1.0)))] * n
        if arm.donor in ("other answer", "x") or arm.x is not None:
            more_here["expected"] = "blue"
        if arm.role == "sham":
            more_here["expected"] = "red"
        rows += answers(arm, given or ["red"] * n, **more_here)
    pairs = pair_up(rows, arms)
    effects = effects_of(pairs, design)
    evidence = Evidence(
        known.title,
        known.latent,
        known.imagines_in_words,
        [pair.base for pair in pairs["base"].pairs],
        pairs,
        effects,
        splits_of(pairs, design),
        (*checks, *controls(pairs, effects, "float32")),
        design,
    )
    return judge(evidence)


SWAPPED = ("swap, other answer", "own input, latents of the changed")
SWAPPED_SLOTS = "own input, slots of the changed"
CUT = ("answer blind to latents", "markers only", "no span", "step mean", "noise", "zero")


def test_content():
    found = of({**dict.fromkeys(SWAPPED, ["blue"] * N), **dict.fromkeys(CUT, ["green"] * N)})
    assert found.verdict == "load-bearing content"
    assert found.validated
    assert found.numbers["donor follow"].low > 0.98
    assert found.numbers["proportion mediated"].estimate == pytest.approx(1.0)


def test_damage_is_not_content():
    """Every edit breaks the answer, but into anything, not into the donor's."""
    broken = ["blue", "green", None] * (N // 3)
    found = of(dict.fromkeys((*SWAPPED, *CUT), broken))
    assert found.verdict == "inconclusive"
    assert "damage cannot be told from use" in found.reason


def test_slot():
    found = of({SWAPPED_SLOTS: ["blue"] * N, "answer blind to latents": ["green"] * N})
    assert found.verdict == "load-bearing slot, not content"


def test_slots_that_are_followed_are_said_to_be_used_also_where_items_are_few():
    """Too few items to show that content is equivalent to none."""
    blue = ["blue"] * 30
    found = of({SWAPPED_SLOTS: blue, "answer blind to latents": ["green"] * 30}, n=30)
    assert found.verdict == "inconclusive"
    assert "what the slots hold is used" in found.reason
    assert found.numbers["slot donor follow"].estimate == 1


def test_bypassed():
    found = of(
        {"changed input, own latents": ["blue"] * N, "blank picture, own latents": ["blue"] * N}
    )
    assert found.verdict == "bypassed"
    assert "equivalent to none" in found.reason


def test_bypassed_needs_enough_items():
    blue = ["blue"] * 40
    found = of({"changed input, own latents": blue, "blank picture, own latents": blue}, n=40)
    assert found.verdict == "inconclusive"
    assert "items would show" in found.reason


def test_format_only():
    """Neither content nor slots matter, yet the answer may not be cut off from the span."""
    blind = {"blank picture, own latents": ["blue"] * N}
    formal = {"no span": ["green"] * N, "answer blind to latents": ["green"] * N}
    assert of({**blind, **formal}).verdict == "format only"


def test_a_missing_marker_is_not_a_latent_that_is_used():
    """The answer may be cut off from the latents; only the form it was taught is missed."""
    found = of({"no span": ["green"] * N, "blank picture, own latents": ["blue"] * N})
    assert found.verdict == "bypassed"
    assert "form the model was taught" in found.reason


def test_redundant():
    """Nothing done to the latents matters while the picture is there; without it they answer."""
    found = of({"blank picture, own latents": ["red"] * N})
    assert found.verdict == "redundant"


def test_collapsed_swaps_are_no_test():
    found = of({"blank picture, own latents": ["blue"] * N}, dose=0.02)
    assert found.verdict == "inconclusive"
    assert "tests nothing" in found.reason


def test_a_dead_control_invalidates():
    found = of({"input changed": ["red"] * N})
    assert found.verdict == "instrument not validated"
    assert not found.validated


def test_a_broken_invariant_invalidates():
    broken = (Check("identity edit is bit-exact", False, "max |Δlogit| = 0.3"),)
    found = of({}, checks=broken)
    assert (found.verdict, found.validated) == ("instrument not validated", False)
    assert "0.3" in found.reason


def test_without_headroom_nothing_is_said():
    found = of({"blank picture": ["red"] * N})
    assert found.verdict == "inconclusive"
    assert "not shown to help" in found.reason


def test_rare_emission_is_no_latents():
    imagined = [place % 10 == 0 for place in range(N)]
    assert of({}, imagined=imagined).verdict == "no latents"


def test_a_handful_of_items_is_no_study():
    found = of({}, n=6)
    assert found.verdict == "inconclusive"
    assert "Only 6 items" in found.reason


def test_a_family_without_latents():
    assert of({}, family="qwen2.5-vl").verdict == "no latents"


def test_words():
    follows = {"own input, latents of the changed": ["blue"] * N}
    assert of(follows, family="capimagine").verdict == "load-bearing text"
    assert of({}, family="capimagine").verdict == "bypassed"


def test_plain_is_json():
    import json

    found = of({"own input, latents of the changed": ["blue"] * N})
    assert json.loads(json.dumps(found.plain(), allow_nan=False))["verdict"] == found.verdict


def test_effects_of_ten_lost_and_ten_won_are_seen():
    """The net change is 0, yet one answer in five changes."""
    arm = Arm("swap, other answer")
    design = Design((arm,), resamples=300)
    gold = ["red"] * 50 + ["blue"] * 50
    choices = ["blue" if i % 5 == 0 else "red" for i in range(100)]
    base = answers(design.arms[0], ["red"] * 100, gold=gold)
    effect = effects_of(pair_up([*base, *answers(arm, choices, gold=gold)], design.arms), design)
    found = effect[arm.name]
    assert found.change.estimate == 0
    assert found.flips.estimate == 0.2
    assert found.verdict == "effect"
    assert found.flows == {"R→R": 40, "R→W": 10, "W→R": 10, "W→W": 40, "W→W′": 0}


def test_intention_to_treat_is_emission_times_effect():
    """Δ_all = e · Δ_emitters, exactly: where nothing was imagined nothing could change."""
    arm = Arm("noise", z=(preset("quick", get("monet"))[8].z[0],))
    design = Design((arm,), resamples=300)
    imagined = [place % 4 == 0 for place in range(200)]
    base = answers(design.arms[0], ["red"] * 200, imagined=imagined)
    made = [
        row if spoke else {k: row[k] for k in ("key", "item", "arm", "draw")} | {"skipped": "no"}
        for row, spoke in zip(answers(arm, ["green"] * 200), imagined, strict=True)
    ]
    found = effects_of(pair_up([*base, *made], design.arms), design)["noise"]
    assert (found.items, found.silent) == (50, 150)
    assert found.change.estimate == -1
    assert found.intention.estimate == pytest.approx(0.25 * found.change.estimate)


def test_draws_are_averaged_within_the_item():
    arm = Arm("noise", z=preset("quick", get("monet"))[8].z, draws=2)
    design = Design((arm,), resamples=300)
    base = answers(design.arms[0], ["red"] * 20)
    second = [{**row, "draw": 1} for row in answers(arm, ["red"] * 20)]
    rows = [*base, *answers(arm, ["green"] * 20), *second]
    found = effects_of(pair_up(rows, design.arms), design)["noise"]
    assert found.items == 20
    assert found.flips.estimate == 0.5
    assert found.change.estimate == -0.5


@pytest.mark.parametrize("discordance", [0.0, 0.1])
def test_false_verdicts_are_rare(discordance: float):
    """No net effect: "effect on accuracy" in at most 5 % of studies, up to chance."""
    arm = Arm("noise", z=preset("quick", get("monet"))[8].z)
    design = Design((arm,), resamples=200)
    base = answers(design.arms[0], ["red"] * 100, gold=["red", "green"] * 50)
    wrong = 0
    for seed in range(STUDIES):
        draw = np.random.default_rng(seed)
        lost = draw.random(100) < discordance
        choices = ["green" if gone else "red" for gone in lost]  # loses red ones, wins green ones
        made = answers(arm, choices, gold=["red", "green"] * 50)
        found = effects_of(pair_up([*base, *made], design.arms), design)["noise"]
        wrong += found.on_accuracy == "effect"
    assert wrong / STUDIES <= MOST


def test_a_real_effect_is_seldom_called_equivalent():
    """Net −2 points, the margin itself: equivalence is claimed in at most 5 % of studies."""
    arm = Arm("noise", z=preset("quick", get("monet"))[8].z)
    design = Design((arm,), resamples=200)
    base = answers(design.arms[0], ["red"] * 400, sure=9.0)
    wrong = 0
    for seed in range(STUDIES):
        lost = np.random.default_rng(seed).random(400) < 0.02
        made = answers(arm, ["green" if gone else "red" for gone in lost], sure=9.0)
        found = effects_of(pair_up([*base, *made], design.arms), design)["noise"]
        wrong += found.on_accuracy == "equivalent to none"
    assert wrong / STUDIES <= MOST


def overall(n: int, right: int, lost: int, won: int) -> str:
    """The verdict of an arm that loses and wins so many of the right and the wrong answers."""
    key = (n, right, lost, won)
    if key not in _known:
        arm = Arm("noise", z=preset("quick", get("monet"))[8].z)
        design = Design((arm,), resamples=100)
        gold = ["red"] * right + ["green"] * (n - right)
        said = ["green"] * lost + ["red"] * (n - lost - won) + ["green"] * won
        base = answers(design.arms[0], ["red"] * n, gold=gold)
        pairs = pair_up([*base, *answers(arm, said, gold=gold)], design.arms)
        _known[key] = effects_of(pairs, design)["noise"].verdict
    return _known[key]


_known: dict[tuple[int, int, int, int], str] = {}


@pytest.mark.parametrize(
    ("n", "right", "lost", "won", "never"),
    [
        (200, 100, 0.03, 0.03, "effect"),  # within the margin of changed answers, nothing net
        (200, 100, 0.05, 0.05, "effect"),  # at that margin itself
        (400, 400, 0.02, 0.0, "equivalent to none"),  # at the margin of accuracy itself
        (200, 100, 0.05, 0.05, "equivalent to none"),
    ],
)
def test_false_verdicts_of_an_arm_are_at_most_one_in_twenty(
    n: int, right: int, lost: float, won: float, never: str
):
    """Not simulated: summed over every way the answers can fall, with its probability."""
    wrong = 0.0
    for a in range(int(right * lost * 3) + 1):
        for b in range(int((n - right) * won * 3) + 1):
            weight = binom.pmf(a, right, lost) * binom.pmf(b, n - right, won)
            if weight > 1e-5:
                wrong += weight * (overall(n, right, a, b) == never)
    assert wrong <= 0.05
