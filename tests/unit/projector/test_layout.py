"""The layout: UMAP's own optimisation from a start of our choosing."""

import numpy as np
import pytest

from services.projector.layout import Recipe, _EpochStream, _principal, lay_out


def _refuse(_done: int, _total: int) -> None:
    raise AssertionError


def test_layout__of_equal_points_needs_no_fit() -> None:
    xy = lay_out(np.ones((9, 3), np.float32), Recipe(5, 0.1, 1), near_step=_refuse, epoch_step=_refuse)
    assert xy.tolist() == [[0, 0]] * 9


def test_epoch_stream__reads_the_bar_and_nothing_else() -> None:
    seen: list[tuple[int, int]] = []
    stream = _EpochStream(lambda done, total: seen.append((done, total)))
    for text in ("\r0/500", "\r 12/500", "\n", "", "\r500/500"):
        stream.write(text)
    assert seen == [(0, 500), (12, 500), (500, 500)]


@pytest.mark.parametrize("dimensions", [1, 2, 7])
def test_start__is_the_first_two_principal_components_whatever_the_order_of_cases(dimensions: int) -> None:
    from sklearn.decomposition import PCA

    points = np.random.default_rng(2).normal(size=(80, dimensions)).astype(np.float32) * (1 + np.arange(dimensions))
    plane = _principal(points)
    assert plane.shape == (80, 2)
    assert plane[:, 0].std() == pytest.approx(1, rel=1e-4)
    expected = PCA(min(2, dimensions)).fit_transform(points.astype(float))
    for component in range(expected.shape[1]):
        assert abs(np.corrcoef(plane[:, component], expected[:, component])[0, 1]) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(_principal(points[::-1])[::-1], plane, atol=1e-4)
