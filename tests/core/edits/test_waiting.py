"""An edit of a latent that waits gives what the same edit of a finished run feeds there."""

import pytest
import torch

from core.edits.waiting import change_waiting
from core.engine import Engine
from core.errors import EditError
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab

ASKED = {"force_latents": True, "budget": 4, "max_new_tokens": 10}


@pytest.fixture
def engine(lab: Lab) -> Engine:
    return lab("monet-sft")


@pytest.fixture
def parent(engine: Engine) -> Trace:
    return engine.run(tiny.picture(1), "What colour?", **ASKED)


@pytest.mark.parametrize("step", [0, 2])
@pytest.mark.parametrize("kind", ["zero", "gaussian", "rotate", "swap", "slerp", "steer", "filler"])
def test_the_same_vector_as_on_a_finished_run(
    engine: Engine, parent: Trace, kind: str, step: int
) -> None:
    donor = engine.run(tiny.picture(5), "Where does the path lead?", **ASKED)
    words = {"donor": donor} if kind in ("swap", "slerp", "steer") else {}
    edit = Edit(kind, [step], seed=7, **words)
    fed = change_waiting(engine, edit, parent.spans[0].latents[: step + 1])
    child = engine.branch(parent, [edit])
    torch.testing.assert_close(fed, child.spans[0].latents[step])
    asked = engine.stream(tiny.picture(1), "What colour?", **ASKED)
    waiting = next(asked)
    while waiting.trace is None:
        send = fed if waiting.latent is not None and waiting.step == step else None
        waiting = asked.send(send)
    torch.testing.assert_close(waiting.trace.spans[0].latents, child.spans[0].latents)
    assert waiting.trace.token_ids == child.token_ids


def test_the_length_is_kept_where_that_is_asked(engine: Engine, parent: Trace) -> None:
    latents = parent.spans[0].latents[:3]
    fed = change_waiting(engine, Edit("filler", renorm=True), latents)
    assert float(fed.norm()) == pytest.approx(float(latents[2].norm()), rel=1e-5)


@pytest.mark.parametrize("kind", ["permute", "truncate", "knockout", "patch"])
def test_what_needs_the_finished_run_says_so(engine: Engine, parent: Trace, kind: str) -> None:
    with pytest.raises(EditError, match="needs a finished run; press Continue"):
        change_waiting(engine, Edit(kind), parent.spans[0].latents[:2])
    with pytest.raises(EditError, match="needs a donor"):
        change_waiting(engine, Edit("swap"), parent.spans[0].latents[:2])
