"""Maps: joint or frozen and saying so, reproducible, and never a crash."""

import math

import pytest
import torch

from core.errors import Cancelled, InputError
from core.measures.projection import METHODS, Projection, place, project
from tests.core.measures.clouds import cloud

NAN = float("nan")


@pytest.fixture(scope="module")
def groups() -> torch.Tensor:
    """Three well separated groups of 15 points, one after the other."""
    centres = 20 * cloud(0, 3, 12)
    return centres.repeat_interleave(15, 0) + cloud(1, 45, 12)


@pytest.fixture(scope="module")
def maps(groups: torch.Tensor) -> dict[str, Projection]:
    return {method: project(groups, method, seed=3) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_separate_groups_stay_separate(maps: dict[str, Projection], method: str):
    places = maps[method].coordinates
    assert places.shape == (45, 2)
    assert places.dtype == torch.float32
    distances = torch.cdist(places, places)
    distances.fill_diagonal_(float("inf"))
    nearest = distances.argmin(1) // 15
    assert (nearest == torch.arange(45) // 15).float().mean() > 0.95
    assert maps[method].quality.trustworthiness > 0.9
    assert 0.2 < maps[method].quality.overlap <= 1


@pytest.mark.parametrize("method", METHODS)
def test_seed_and_parameters_make_the_map_bit_for_bit_and_stand_on_it(
    maps: dict[str, Projection], groups: torch.Tensor, method: str
):
    again = project(groups, method, seed=3)
    assert torch.equal(again.coordinates, maps[method].coordinates)
    assert maps[method].caption.endswith("seed 3")
    assert "joint fit of 45 points" in maps[method].caption
    expected = {"pca": set(), "umap": {"n_neighbors", "min_dist", "metric"},
                "tsne": {"perplexity", "metric"}}  # fmt: skip
    assert maps[method].parameters.keys() == expected[method]
    assert all(name in maps[method].caption for name in expected[method])


def test_another_seed_is_another_umap(maps: dict[str, Projection], groups: torch.Tensor):
    assert not torch.equal(project(groups, "umap", seed=4).coordinates, maps["umap"].coordinates)


def test_several_tables_are_fitted_together_and_handed_back_apart(groups: torch.Tensor):
    before, after = groups[:15], groups[15:18]
    both = project([before, torch.zeros(0, 12), after])
    assert [len(t) for t in both.tables] == [15, 0, 3]
    assert torch.equal(torch.cat(both.tables), both.coordinates)
    assert torch.equal(both.coordinates, project(torch.cat([before, after])).coordinates)
    assert both.fit == "joint fit of 18 points"
    assert both.shares is not None
    assert 0 < both.shares[1] <= both.shares[0] <= 1


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_a_frozen_map_takes_further_points_and_does_not_move(
    maps: dict[str, Projection], groups: torch.Tensor, method: str
):
    base = maps[method]
    was = base.coordinates.clone()
    fresh = groups[::5] + 0.1 * cloud(2, 9, 12)
    placed = place(base, fresh)
    assert placed.fit == "frozen fit of 45 points, 9 placed by it"
    assert "9 placed by it" in placed.caption
    assert torch.equal(place(base, fresh).coordinates, placed.coordinates)
    assert torch.equal(base.coordinates, was)
    home = was.view(3, 15, 2).mean(1)
    nearest = torch.cdist(placed.coordinates, home).argmin(1)
    assert nearest.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_placing_the_fitted_points_by_pca_gives_their_places(
    maps: dict[str, Projection], groups: torch.Tensor
):
    torch.testing.assert_close(place(maps["pca"], groups).coordinates, maps["pca"].coordinates)


def test_tsne_cannot_place_and_says_what_to_do(maps: dict[str, Projection], groups: torch.Tensor):
    with pytest.raises(InputError, match="fit all points together, or choose PCA or UMAP"):
        place(maps["tsne"], groups[:2])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_few_points_are_shown_by_pca(method: str, n: int):
    found = project(cloud(0, n, 6), method)
    assert found.coordinates.shape == (n, 2)
    assert found.coordinates.isfinite().all()
    assert found.method == "pca"
    assert ("too few" in found.note) == (method != "pca")
    assert math.isnan(found.quality.overlap) == (n < 4)
    assert place(found, cloud(1, 2, 6) if n else torch.zeros(0, 0)).coordinates.isfinite().all()


@pytest.mark.parametrize("method", ["umap", "tsne"])
@pytest.mark.parametrize("n", [5, 6, 9])
def test_from_five_points_on_they_are_arranged(method: str, n: int):
    found = project(cloud(0, n, 6), method)
    assert found.method == method
    assert found.coordinates.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_identical_points_are_one_place_and_a_sentence(method: str):
    found = project(cloud(0, 1, 4).expand(12, -1), method)
    assert found.coordinates.unique(dim=0).shape == (1, 2)
    assert found.note == "All 12 points are the same, so the map is one point."


@pytest.mark.parametrize("method", METHODS)
def test_many_copies_of_two_points_and_points_on_a_line_do_not_stop_it(method: str):
    for points in (cloud(0, 2, 4).repeat(10, 1), torch.outer(torch.arange(12.0), torch.ones(3))):
        found = project(points, method)
        assert found.method == method
        assert found.coordinates.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_points_without_numbers_keep_their_row_and_have_no_place(method: str):
    points = cloud(0, 12, 4)
    points[3, 1] = NAN
    points[7] = float("inf")
    found = project(points, method)
    gone = found.coordinates.isnan().all(-1)
    assert gone.nonzero().flatten().tolist() == [3, 7]
    assert found.note == "2 points hold no numbers (NaN) and have no place on the map."
    kept = torch.tensor([i for i in range(12) if i not in (3, 7)])
    assert torch.equal(found.coordinates[kept], project(points[kept], method).coordinates)
    if method != "tsne":
        placed = place(found, torch.cat([points[3:4], points[:1]]))
        assert placed.coordinates[0].isnan().all()
        assert placed.note == "1 point holds no numbers (NaN) and has no place on the map."


def test_nothing_but_nan_is_an_empty_map():
    found = project(torch.full((6, 3), NAN), "umap")
    assert found.coordinates.isnan().all()
    assert found.fit == "joint fit of 0 points"


def test_progress_rises_to_the_end_and_what_it_raises_stops_the_fit(groups: torch.Tensor):
    told: list[tuple[float, str]] = []
    project(groups, "umap", progress=lambda share, what: told.append((share, what)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert list(dict.fromkeys(w for _, w in told)) == ["neighbours", "layout", "done"]

    def stop(share: float, what: str) -> None:
        if what == "layout":
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        project(groups, "umap", progress=stop)
    assert torch.equal(
        project(groups, "umap", seed=3).coordinates, project(groups, "umap", seed=3).coordinates
    )


def test_cosine_neighbours_know_no_length(groups: torch.Tensor):
    lengths = 0.5 + cloud(5, 45, 1).abs()
    plain = project(groups, "umap", metric="cosine")
    scaled = project(groups * lengths, "umap", metric="cosine")
    assert plain.parameters["metric"] == "cosine"
    assert scaled.coordinates.isfinite().all()


def test_what_cannot_be_drawn_is_said_in_a_sentence():
    with pytest.raises(InputError, match="choose pca, umap, tsne"):
        project(cloud(0, 6, 3), "lda")
    with pytest.raises(InputError, match="choose euclidean or cosine"):
        project(cloud(0, 6, 3), metric="manhattan")
    with pytest.raises(InputError, match="one row a point"):
        project(cloud(0, 6))
    with pytest.raises(InputError, match="different widths"):
        project([cloud(0, 6, 3), cloud(0, 6, 4)])
    with pytest.raises(InputError, match="width 3; these have 4"):
        place(project(cloud(0, 6, 3)), cloud(0, 6, 4))


def test_tsne_of_wide_points_sees_their_first_components():
    points = cloud(0, 60, 80)
    points[:20] += 15
    found = project(points, "tsne")
    assert found.coordinates.isfinite().all()
    distances = torch.cdist(found.coordinates[:20], found.coordinates[20:])
    assert distances.min() > torch.cdist(found.coordinates[:20], found.coordinates[:20]).mean() / 4
