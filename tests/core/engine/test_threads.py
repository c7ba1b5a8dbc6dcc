"""Small passes run on one thread, large ones on all there are, and what was given comes back."""

import argparse
import os
from types import SimpleNamespace

import pytest
import torch

from core.engine import threads
from core.engine.threads import as_many_as_pay, small
from gui.commands import model
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab

DEMO = SimpleNamespace(hidden_size=192, intermediate_size=512)
LARGE = SimpleNamespace(hidden_size=3584, intermediate_size=18944)
CPU = torch.device("cpu")
WHOLE, HALF = torch.float32, torch.bfloat16


class Given:
    """Threads as torch counts them, without starting any."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        self.count = count
        self.set: list[int] = []
        monkeypatch.setattr(threads.torch, "get_num_threads", lambda: self.count)
        monkeypatch.setattr(threads.torch, "set_num_threads", self.take)

    def take(self, count: int) -> None:
        self.count = count
        self.set.append(count)


@pytest.mark.parametrize(
    ("slots", "config", "dtype", "alone"),
    [
        (1, DEMO, WHOLE, True),
        (64, DEMO, WHOLE, True),
        (300, DEMO, WHOLE, False),
        (1, LARGE, WHOLE, True),  # a vector's product: a second thread brings nothing
        (8, LARGE, WHOLE, False),
        (1, DEMO, HALF, True),
        (300, DEMO, HALF, False),
        (1, LARGE, HALF, False),
    ],
)
def test_sizes_and_kind_of_weights_decide(
    slots: int, config: SimpleNamespace, dtype: torch.dtype, alone: bool
) -> None:
    assert small(slots, config, dtype) == alone


def test_what_was_given_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Given(monkeypatch, 6)
    with as_many_as_pay(1, DEMO, WHOLE, CPU):
        assert given.count == 1
        with as_many_as_pay(1, DEMO, WHOLE, CPU):
            assert given.count == 1
    assert given.count == 6
    with pytest.raises(ValueError, match="inside"), as_many_as_pay(1, DEMO, WHOLE, CPU):
        raise ValueError("inside")
    assert given.count == 6
    given.set.clear()
    with (
        as_many_as_pay(300, DEMO, WHOLE, CPU),
        as_many_as_pay(1, DEMO, WHOLE, torch.device("cuda")),
    ):
        assert given.count == 6
    assert given.set == []


def test_a_run_steps_on_one_thread_and_reads_its_prompt_on_all(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab("monet")
    monkeypatch.setattr(threads, "SMALL", 10 * tiny.WIDTH * 2 * tiny.WIDTH)
    given = Given(monkeypatch, 4)
    seen: list[tuple[int, int]] = []
    handle = engine.passes.language.layers[0].register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((args[0].shape[1], given.count)), with_kwargs=True
    )
    engine.run(tiny.picture(1), "Where?", force_latents=True, max_new_tokens=5)
    handle.remove()
    assert {count for slots, count in seen if slots == 1} == {1}
    assert {count for slots, count in seen if slots > 10} == {4}
    assert given.count == 4


def test_the_flag_is_where_torch_looks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    parser = argparse.ArgumentParser()
    model.add_flags(parser)
    assert "threads" not in vars(parser.parse_args([]))
    assert os.environ["OMP_NUM_THREADS"] == "1"
    parser.parse_args(["--threads", "3"])
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "3"
    for wrong in ("0", "-2", "many"):
        with pytest.raises(SystemExit):
            parser.parse_args([f"--threads={wrong}"])
        assert "give 1 or more" in capsys.readouterr().err
