"""Figures of flows, of latents among patches and words, and probes by layer and step."""

from xml.etree import ElementTree

import numpy as np
import torch

from core.study.behind import of_forest, of_series, of_table
from core.study.design import Design
from core.study.intervals import NOTHING, wilson
from core.study.keeping import MOST_LAYERS, MOST_WIDE, depths_of, narrow
from core.study.probe_map import probe_map
from core.study.sankey import FLOWS, sankey

HOSTILE = "<script>alert(1)</script>"


def test_bands_are_as_wide_as_items_moved():
    counts = {"R→R": 60, "R→W": 20, "W→R": 10, "W→W": 0, "W→W′": 10}
    drawn = sankey([(HOSTILE, counts), ("nothing", dict.fromkeys(FLOWS, 0))], "F4  How")
    tree = ElementTree.fromstring(drawn)
    assert HOSTILE not in drawn
    titles = [one.text or "" for one in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert [said.split(", ")[-1] for said in titles] == [
        "R→R: 60 of 100", "R→W: 20 of 100", "W→R: 10 of 100", "W→W′: 10 of 100"
    ]  # fmt: skip
    words = [one.text for one in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"R 80", "W 20", "R 70", "W 30"} <= set(words)  # before, and after
    assert "R→R 60 · R→W 20 · W→R 10 · W→W′ 10" in words
    assert not sankey([("nothing", {})], "F4  How")


def test_the_numbers_behind_a_figure():
    head, rows = of_forest([("a", wilson(5, 10), "x"), ("none", NOTHING, "")], "%", 100)
    assert head == ["label", "%", "low", "high", "note"]
    assert [row[0] for row in rows] == ["a"]
    assert rows[0][1] == "50"
    assert of_series({"s": [(1, 2, 1, float("nan"))]}, "x", "y")[1] == [["s", "1", "2", "1", ""]]
    table = of_table([[1.0, float("nan")]], ["r"], ["a", "b"], "row", "column", "v")
    assert table[1] == [["r", "a", "1"]]


def test_hidden_states_are_kept_at_few_depths_and_widths():
    assert depths_of(5) == [0, 1, 2, 3, 4]
    assert depths_of(29)[:1] + depths_of(29)[-1:] == [0, 28]
    assert len(depths_of(29)) == MOST_LAYERS
    states = torch.randn(29, 3, 1000, generator=torch.Generator().manual_seed(1))
    kept = narrow(states)
    assert kept.shape == (MOST_LAYERS, 3, MOST_WIDE)
    # lengths and angles live on, which is all a linear probe needs
    share = kept.norm(dim=-1) / states[depths_of(29)].norm(dim=-1)
    assert (share - 1).abs().max() < 0.2
    assert narrow(states[:4, :, :8]).equal(states[:4, :, :8])


def planted(items: int, where: tuple[int, int]):
    """States (3 depths, 2 steps) of noise that hold the answer in one cell alone."""
    draw = np.random.default_rng(0)
    rows, layers = [], {}
    for place in range(items):
        answer = place % 4
        states = draw.normal(0, 1, (3, 2, 24))
        states[where][answer] += 4
        layers[f"item{place}"] = torch.tensor(states, dtype=torch.float32)
        rows.append(
            {"item": f"item{place}", "gold": "abcd"[answer], "task": "t", "cluster": f"{place}"}
        )
    return layers, rows


def test_a_probe_finds_the_cell_that_holds_the_answer_and_no_other():
    layers, rows = planted(80, (1, 1))
    found = probe_map(layers, rows, Design((), resamples=200), (0, 1, 2))
    assert found.stands_out == ((False, False), (False, True), (False, False))
    assert (found.items, found.answers, found.steps) == (80, 4, 2)
    assert found.accuracy[1][1] > 0.85
    cell = found.selectivity[1][1]
    assert cell.low > 0.4
    assert 0.15 < found.control[1][1] < 0.35  # four answers
    assert 0 in found.selectivity[0][0]


def test_too_few_items_are_not_probed():
    layers, rows = planted(20, (0, 0))
    assert probe_map(layers, rows, Design((), resamples=200), (0, 1, 2)) is None
