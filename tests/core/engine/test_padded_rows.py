"""A row of a padded batch is kept without the padding, also when it is the last one left."""

import torch

from core.engine.cache import BranchCache


def padded(rows: int) -> BranchCache:
    """One layer, prompts of five slots of which row b's first b are padding, two own slots."""
    cache = BranchCache(1, rows)
    keys = torch.arange(rows * 5.0).reshape(rows, 1, 5, 1)
    cache.update(keys, -keys, 0)
    cache.prompt_mask = torch.arange(5)[None] >= torch.arange(rows)[:, None]
    cache.decoding = True
    own = torch.full((rows, 1, 2, 1), 7.0)
    cache.update(own, own, 0)
    cache.advance(2)
    return cache


def test_every_row_loses_its_padding():
    cache = padded(3)
    for index in range(3):
        keys, values = cache.row(index).prompt[0]
        assert keys.flatten().tolist() == [5.0 * index + slot for slot in range(index, 5)]
        assert torch.equal(values, -keys)


def test_the_last_row_left_loses_it_too():
    cache = padded(3)
    cache.keep([2])
    assert cache.row(0).prompt[0][0].flatten().tolist() == [12.0, 13.0, 14.0]


def test_a_prompt_without_padding_is_shared_and_not_copied():
    cache = padded(1)
    cache.prompt_mask = None
    assert cache.row(0).prompt is cache.prompt
