"""Quality of a map, against scikit-learn's and worked out by hand."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as reference

from services.projector.projection.quality import assess

RNG = np.random.default_rng(6)


@pytest.mark.parametrize(("cases", "k"), [(60, 5), (300, 15)])
def test_trustworthiness__is_scikit_learns(cases: int, k: int) -> None:
    points = RNG.normal(size=(cases, 6)).astype(np.float32)
    xy = points[:, :2] + RNG.normal(scale=0.3, size=(cases, 2)).astype(np.float32)
    about = assess(points, xy, [None] * cases, [None] * cases, k=k, min_dist=0.1, moved=None)
    assert about.trustworthiness == pytest.approx(reference(points, xy, n_neighbors=k), abs=1e-5)
    assert about.continuity == pytest.approx(reference(xy, points, n_neighbors=k), abs=1e-5)


def test_quality__of_a_map_that_is_the_space_itself_is_perfect() -> None:
    xy = RNG.normal(size=(100, 2)).astype(np.float32)
    about = assess(xy, xy, ["nv"] * 60 + ["mel"] * 40, [None] * 100, k=10, min_dist=0.1, moved=0.0)
    assert (about.trustworthiness, about.continuity, about.moved) == (1, 1, 0)
    assert [(one.diagnosis, one.cases) for one in about.agreement] == [("mel", 40), ("nv", 60)]
    assert all(one.on_map == one.in_latent for one in about.agreement)


def test_agreement__is_the_share_of_neighbours_with_the_same_diagnosis() -> None:
    points = np.repeat([[0.0, 0], [10, 0]], 10, axis=0).astype(np.float32) + RNG.normal(size=(20, 2)).astype(np.float32)
    shuffled = points[RNG.permutation(20)]
    about = assess(points, shuffled, ["nv"] * 10 + [None] * 10, [None] * 20, k=4, min_dist=0.1, moved=None)
    assert [(one.diagnosis, one.in_latent) for one in about.agreement] == [("nv", 1.0)]
    assert about.agreement[0].on_map < 1
    assert about.trustworthiness < 0.9


def test_agreement__leaves_out_images_of_the_same_lesion() -> None:
    # Pairs of one lesion lie together; the lesion beside each is of the other diagnosis.
    xy = np.repeat(np.arange(12.0), 2)[:, None] * [1, 0] + np.tile([[0, 0], [0, 0.1]], (12, 1))
    diagnoses = [code for pair in range(12) for code in 2 * ["nv" if pair % 2 else "mel"]]
    lesions: list[str | None] = [f"HAM_{row // 2}" for row in range(24)]
    with_siblings = assess(xy.astype(np.float32), xy, diagnoses, [None] * 24, k=3, min_dist=0.1, moved=None)
    about = assess(xy.astype(np.float32), xy, diagnoses, lesions, k=3, min_dist=0.1, moved=None)
    assert all(one.in_latent == pytest.approx(1 / 3, abs=1e-3) for one in with_siblings.agreement)
    assert [(one.cases, one.in_latent, one.on_map) for one in about.agreement] == [(12, 0, 0), (12, 0, 0)]


def test_agreement__says_nothing_of_cases_that_have_only_their_own_lesion_around_them() -> None:
    xy = RNG.normal(size=(20, 2)).astype(np.float32)
    lesions = ["HAM_1"] * 20
    assert assess(xy, xy, ["nv"] * 20, lesions, k=4, min_dist=0.1, moved=None).agreement == []


def test_placing_errors__grow_with_the_spread_and_need_enough_cases() -> None:
    points = RNG.normal(size=(400, 2)).astype(np.float32)
    points = points[np.argsort(points[:, 0])]
    xy = points.copy()
    xy[:100] = RNG.normal(scale=30, size=(100, 2))  # on the left, neighbours lie anywhere
    about = assess(points, xy, [None] * 400, [None] * 400, k=8, min_dist=0.1, moved=None)
    spreads = [group.spread for group in about.placing]
    assert spreads == sorted(spreads)
    assert len(spreads) == 10
    assert about.placing[0].median < about.placing[-1].median
    assert all(group.median <= group.p90 for group in about.placing)
    assert assess(points[:19], xy[:19], [None] * 19, [None] * 19, k=5, min_dist=0.1, moved=None).placing == []


def test_trustworthiness__of_duplicates_does_not_fail() -> None:
    same = np.ones((12, 2), np.float32)
    about = assess(same, same, [None] * 12, [None] * 12, k=3, min_dist=0.1, moved=None)
    assert about.trustworthiness == 1
