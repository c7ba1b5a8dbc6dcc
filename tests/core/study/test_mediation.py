"""Closed-form causal models whose effects are known: the split must find them.

The models are those of ``benchmarks/coverage.py``, which prints how often the truth is covered
in 1,000 studies of each; here a few dozen of each are simulated.
"""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from core.measures.small_samples import degrees_of_freedom, mean_interval
from core.study.mediation import split


def _coverage() -> ModuleType:
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_of_intervals", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


coverage = _coverage()
MODELS = coverage.MODELS
SIMULATED = int(os.environ.get("ZSCOPE_SIMULATIONS", "40"))
RESAMPLES = 1000 if SIMULATED >= 1000 else 300
# with few studies: all that a fair 95 % interval would give, but one time in 10,000
LEAST = 0.93 if SIMULATED >= 1000 else 0.95 - 3.8 * (0.95 * 0.05 / SIMULATED) ** 0.5
ITEMS = 80


@pytest.mark.parametrize("name", [n for n in MODELS if not MODELS[n].choice])
def test_without_noise_the_split_is_exact(name: str):
    model = MODELS[name]
    x, other = np.linspace(-1, 1, 20), np.linspace(-1, 1, 20) + 1
    own, changed = model.latent(x), model.latent(other)
    pairs = ((x, own), (other, changed), (other, own), (x, changed))
    cells = [model.outcome(*pair) for pair in pairs]
    found = split(*cells, resamples=200)
    te, nde, nie = (float(np.mean(cell - cells[0])) for cell in cells[1:])
    assert found.total.estimate == pytest.approx(te)
    assert found.direct.estimate == pytest.approx(nde)
    assert found.indirect.estimate == pytest.approx(nie)
    assert found.total_indirect.estimate == pytest.approx(te - nde)
    assert found.interaction.estimate == pytest.approx(te - nde - nie)
    if name.startswith("linear"):
        assert found.pure.estimate == pytest.approx(float(name.split()[1]), abs=1e-9)
        assert found.interaction.estimate == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_stated_truth_is_the_models(name: str):
    """A very large sample: nothing of the benchmark's arithmetic is taken on trust."""
    draw = np.random.default_rng(0)
    model, size = MODELS[name], 400_000
    x, other = draw.normal(0, 1, size), draw.normal(1, 1, size)
    own, changed = model.latent(x), model.latent(other)
    base = model.outcome(x, own)
    cells = (model.outcome(other, changed), model.outcome(other, own), model.outcome(x, changed))
    for cell, value in zip(cells, model.truth, strict=True):
        spread = float((cell - base).std()) / size**0.5
        assert abs(float((cell - base).mean()) - value) < 5 * spread + 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_intervals_cover_the_truth(name: str):
    model = MODELS[name]
    tally = coverage.simulate(model, SIMULATED, ITEMS, RESAMPLES)
    for part in coverage.PARTS:
        assert tally.covered[part] / SIMULATED >= LEAST, part
    if tally.shares:
        assert tally.covered["pure"] / tally.shares >= LEAST
    nothing = sum(abs(value) < 1e-12 for value in model.values.values())
    assert tally.false_effect <= (1 - LEAST) * SIMULATED * max(1, nothing)
    assert tally.false_equivalent <= (1 - LEAST) * SIMULATED


def test_gated_items_are_counted_apart():
    found, _ = coverage.study(MODELS["gated"], 0, ITEMS, 200)
    assert found.items + found.apart == ITEMS
    assert 20 < found.apart < 60


def test_heavy_tails_have_fewer_degrees_of_freedom():
    """ν = n − 1 for normal data, and less where the sample's variance is less sure."""
    draw = np.random.default_rng(0)
    normal, heavy = draw.normal(0, 1, 200), draw.standard_t(4, 200)
    assert degrees_of_freedom(normal - normal.mean()) > 150
    assert degrees_of_freedom(heavy - heavy.mean()) < 100
    assert degrees_of_freedom([1.0, -1.0]) == 1


def test_an_interval_is_never_narrower_than_a_t_interval():
    draw = np.random.default_rng(0)
    values = draw.normal(0, 1, 40)
    found = mean_interval(values, resamples=500)
    half = 2.0227 * float(values.std(ddof=1)) / 40**0.5  # t of 39 degrees at 97.5 %
    assert found.low <= values.mean() - half + 1e-3
    assert found.high >= values.mean() + half - 1e-3
    # a long tail to one side: the interval reaches further there
    tail = -np.log(1 - (np.arange(60) + 0.5) / 60)
    skewed = mean_interval(tail, resamples=2000)
    assert skewed.high - skewed.estimate > 1.05 * (skewed.estimate - skewed.low)


def test_without_a_total_effect_no_share_is_given():
    draw = np.random.default_rng(3)
    cells = draw.normal(0, 1, (4, 60))
    found = split(*cells, resamples=300)
    assert found.total.low < 0 < found.total.high
    assert np.isnan(found.pure.estimate)
    assert np.isnan(found.whole.low)


def test_redundant_paths_show_as_interaction():
    """Readout = OR of what picture and latents say: either alone is enough."""
    own = np.zeros(40)
    found = split(own, own + 1, own + 1, own + 1, resamples=300)
    assert (found.total.estimate, found.direct.estimate, found.indirect.estimate) == (1, 1, 1)
    assert found.interaction.estimate == -1
    assert found.total_indirect.estimate == 0


def test_items_without_all_cells_are_counted_apart():
    cells = np.tile(np.arange(30.0), (4, 1))
    cells[2, :5] = np.nan
    found = split(*cells, resamples=200, apart=2)
    assert (found.items, found.apart) == (25, 7)


def test_clusters_widen_the_interval():
    draw = np.random.default_rng(0)
    by_picture = np.repeat(draw.normal(0, 1, 12), 6)
    names = [str(place // 6) for place in range(72)]
    cells = (np.zeros(72), by_picture, np.zeros(72), np.zeros(72))
    alone = split(*cells, resamples=500).total
    together = split(*cells, clusters=names, resamples=500).total
    assert together.high - together.low > 1.7 * (alone.high - alone.low)
