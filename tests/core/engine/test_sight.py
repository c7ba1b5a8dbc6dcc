"""Another question about a picture: the vision tower is skipped, and nothing else changes."""

import torch
from torch import Tensor

from core.engine.sight import Sight
from core.scenes import sample
from tests.core.engine.conftest import Lab


def looked(pixels: Tensor, grid: Tensor) -> Tensor:
    return pixels.float().cumsum(0) + grid.sum()


def test_a_picture_is_seen_once_and_only_alone() -> None:
    calls = []

    def see(pixels: Tensor, grid: Tensor) -> Tensor:
        calls.append(len(grid))
        return looked(pixels, grid)

    sight = Sight(see)
    one, other = torch.ones(4, 3), torch.zeros(4, 3)
    grid = torch.tensor([[1, 2, 2]])
    assert torch.equal(sight(one, grid), looked(one, grid))
    assert torch.equal(sight(one.clone(), grid), looked(one, grid))
    assert calls == [1]
    sight(other, grid)  # other pixels
    sight(one, torch.tensor([[1, 1, 4]]))  # the same pixels in another shape
    assert calls == [1, 1, 1]
    pair = torch.cat([one, other]), torch.cat([grid, grid])
    sight(*pair)
    sight(*pair)
    assert calls == [1, 1, 1, 2, 2]


def test_the_longest_unused_goes_first() -> None:
    sight = Sight(looked, most_bytes=2 * 4 * 3 * 4)
    grid = torch.tensor([[1, 2, 2]])
    first, second, third = (torch.full((4, 3), float(k)) for k in range(3))
    kept = sight(first, grid)
    sight(second, grid)
    assert sight(first, grid) is kept
    sight(third, grid)  # drops the second
    assert len(sight) == 2
    assert sight.nbytes <= sight.most_bytes
    assert sight(first, grid) is kept
    sight.clear()
    assert len(sight) == 0
    assert sight(first, grid) is not kept


def test_a_second_question_is_answered_as_if_it_were_the_first(lab: Lab) -> None:
    engine = lab("monet")
    item = sample("where", n=1)[0]
    questions = "What is in the picture?", "Where is it?"
    engine.passes.see.clear()
    alone = []
    for question in questions:
        engine.passes.see.clear()
        alone.append(engine.run(item.image, question, force_latents=True, max_new_tokens=8))
    engine.passes.see.clear()
    for question, expected in zip(questions, alone, strict=True):
        trace = engine.run(item.image, question, force_latents=True, max_new_tokens=8)
        assert trace.token_ids == expected.token_ids
        assert torch.equal(trace.spans[0].latents, expected.spans[0].latents)
        assert trace.logprobs == expected.logprobs
    assert len(engine.passes.see) == 1
