"""What is drawn: inside its cell, the same at every size, told apart by every reader."""

import itertools

import numpy as np
import pytest
from PIL import Image

from core import scenes
from core.scenes.objects import CELL, Figure, Look

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
DICHROMACY = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(rgb: np.ndarray, seen_by: str = "none") -> np.ndarray:
    """sRGB 0..255, (N, 3), to CIE L*a*b* (D65), as a reader with this deficiency sees it."""
    unit = np.asarray(rgb, dtype=float) / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(DICHROMACY[seen_by]).T, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz).T / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


@pytest.mark.parametrize("seen_by", DICHROMACY)
def test_colours_are_told_apart_by_colour_blind_readers(seen_by: str):
    colours = lab(np.array(list(scenes.COLOURS.values())), seen_by)
    apart = [np.linalg.norm(a - b) for a, b in itertools.combinations(colours, 2)]
    assert min(apart) > 18


def test_colours_differ_in_lightness_too():
    lightness = np.sort(lab(np.array(list(scenes.COLOURS.values())))[:, 0])
    assert np.diff(lightness).min() > 10


@pytest.mark.parametrize("shape", scenes.SHAPES)
def test_an_object_stays_in_its_cell_however_it_looks(shape: str):
    looks = itertools.product((66.0, 94.0), (-1.0, 1.0), (-1.0, 1.0), (-12.0, 0.0, 12.0))
    for look in looks:
        figure = Figure(6, shape, "red", Look(*look))
        left, top, right, bottom = figure.box()
        assert 2 * CELL <= left < right <= 3 * CELL
        assert CELL <= top < bottom <= 2 * CELL


@pytest.mark.parametrize("task", scenes.TASKS)
def test_a_small_picture_is_the_large_one_shrunk(task: str):
    for item in scenes.sample(task, n=3):
        for draw in (item.render, item.render_helper):
            small = np.asarray(draw(112), dtype=int)
            shrunk = np.asarray(draw(448).resize((112, 112), Image.Resampling.BOX), dtype=int)
            assert np.abs(small - shrunk).mean() < 2.5


@pytest.mark.parametrize("task", scenes.TASKS)
def test_pictures_are_rgb_of_the_size_asked_for(task: str):
    item = scenes.sample(task, n=1)[0]
    for picture, size in ((item.image, 448), (item.helper, 448), (item.render(64), 64)):
        assert picture.mode == "RGB"
        assert picture.size == (size, size)
    assert item.image is item.image
    assert np.abs(np.asarray(item.image, int) - np.asarray(item.helper, int)).mean() > 0.5


def test_pictures_vary():
    items = scenes.sample("where", n=40)
    assert len({item.scene.backdrop.palette for item in items}) >= 5
    assert {item.scene.backdrop.lattice for item in items} == {"tiles", "lines", "dots"}
    sizes = [figure.look.size for item in items for figure in item.scene.figures]
    assert min(sizes) < 70
    assert max(sizes) > 90


def test_a_scene_holds_one_object_a_cell():
    with pytest.raises(ValueError, match="one object a cell"):
        scenes.ObjectScene((Figure(2, "star", "red"), Figure(2, "heart", "blue")))
    with pytest.raises(ValueError, match="no such object"):
        scenes.ObjectScene((Figure(2, "moon", "red"),))
