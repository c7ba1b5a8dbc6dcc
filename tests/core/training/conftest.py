"""A whole workshop in small: a few pictures, a tower of three steps, the real vocabulary."""

from pathlib import Path

import pytest
import torch

from core.training.network import Shape
from core.training.workshop import Workshop, open_workshop

SMALL = Shape(
    width=48,
    layers=2,
    heads=2,
    key_heads=1,
    hidden=64,
    vision_width=32,
    vision_depth=2,
    vision_heads=2,
    vision_hidden=48,
)
SIZES = {"attribute": 12, "relative": 12, "where": 12, "count": 16, "plan": 16}


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workshop")


@pytest.fixture(scope="session")
def shop(shop_folder: Path) -> Workshop:
    torch.set_num_threads(1)
    return open_workshop(shop_folder, SMALL, SIZES, watched=6, tower_steps=3, shipped=None)
