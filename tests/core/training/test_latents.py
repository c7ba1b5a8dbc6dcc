"""What latents should show, and what may be done to them without consequence."""

import torch

from core.training.latents import NONE, emptied, nearest, overwritten, shown, smudged, spread


def test_the_budget_is_always_filled() -> None:
    assert spread("where", [5], 8) == [5] * 8
    assert spread("relative", [1, 9], 8) == [1] * 4 + [9] * 4
    assert spread("count", [2, 3], 8) == [2, 3] + [NONE] * 6
    assert spread("count", [], 8) == [NONE] * 8
    assert spread("plan", [0, 1, 5], 8) == [0, 1, 5, 5, 5, 5, 5, 5]


def test_shown_cells_are_found_again_and_all_have_one_length() -> None:
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(4, 16, 32, generator=draw)
    cells = torch.randint(16, (4, 8), generator=draw)
    latents = shown(features, cells, torch.zeros(32), 7.0)
    assert torch.equal(nearest(latents, features), cells)
    moved = smudged(latents, latents.roll(1, 0), 7.0, draw)
    assert torch.allclose(latents.norm(dim=-1), torch.full((4, 8), 7.0))
    assert torch.allclose(moved.norm(dim=-1), torch.full((4, 8), 7.0))
    assert 0 < float((moved - latents).norm(dim=-1).max()) < 7.0


def test_overwriting_changes_every_row_but_by_another_kind() -> None:
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(64, 8, 32, generator=draw)
    changed = overwritten(latents, 7.0, draw)
    assert changed.shape == latents.shape
    zero = changed.flatten(1).abs().sum(1) == 0
    assert 0 < int(zero.sum()) < 64
    assert int((changed == latents).all(2).all(1).sum()) < 8


def test_emptied_latents_hold_nothing_of_their_row() -> None:
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(64, 3, 8, generator=draw)
    kept = emptied(latents, 7.0, draw)
    lengths = kept.norm(dim=-1)
    zero = (lengths == 0).all(-1)
    mean = (kept == latents.mean(0)).all(-1).all(-1)
    noise = ~zero & ~mean
    for kind in (zero, mean, noise):
        assert bool(kind.any())
    assert torch.allclose(lengths[noise], torch.tensor(7.0), atol=1e-4)
    cosine = torch.cosine_similarity(kept[noise].flatten(1), latents[noise].flatten(1), dim=-1)
    assert float(cosine.abs().mean()) < 0.3
