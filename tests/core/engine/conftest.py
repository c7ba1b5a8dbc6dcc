"""Engines over tiny checkpoints, built once a session and handed out with an empty store."""

from collections.abc import Callable
from pathlib import Path

import pytest

import core
from core.engine import Engine
from tests.core.engine import tiny

Lab = Callable[..., Engine]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """(family, head) → the folder of a checkpoint."""
    made: dict[tuple[str, str], Path] = {}

    def folder(family: str = "monet", head: str = "") -> Path:
        if (family, head) not in made:
            extra = {"": {}, "simple": tiny.simple_head(), "glu": tiny.gated_head()}[head]
            keys = {"lvr_head": bool(head)} if family == "lvr" else {}
            if family == "lvr":
                extra = extra | tiny.latent_end()
            made[family, head] = tiny.write_checkpoint(
                tmp_path_factory.mktemp(f"{family}-{head}"), family, seed=3, keys=keys, extra=extra
            )
        return made[family, head]

    return folder


@pytest.fixture(scope="session")
def lab(workshop: Callable[..., Path]) -> Lab:
    """(family, attention, head) → an engine that holds no runs yet."""
    made: dict[tuple[str, str, str], Engine] = {}

    def engine(family: str = "monet", attention: str = "sdpa", head: str = "") -> Engine:
        key = family, attention, head
        if key not in made:
            made[key] = core.load(
                workshop(family, head),
                family=family,
                dtype="float32",
                attention=attention,
                device="cpu",
            )
        made[key].store.clear()
        made[key].bank = None
        return made[key]

    return engine
