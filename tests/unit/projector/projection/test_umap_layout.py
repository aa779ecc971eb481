"""The layout: UMAP's own optimisation from a start of our choosing."""

import numpy as np
import pytest

from services.projector.projection.umap_layout import UmapSettings, _EpochStream, _principal, lay_out


def _refuse(_done: int, _total: int) -> None:
    raise AssertionError


def test_layout__of_equal_points_needs_no_fit() -> None:
    xy = lay_out(np.ones((9, 3), np.float32), UmapSettings(5, 0.1, 1), near_step=_refuse, epoch_step=_refuse)
    assert xy.tolist() == [[0, 0]] * 9


def test_epoch_stream__reads_the_bar_on_top_of_earlier_epochs_and_nothing_else() -> None:
    seen: list[tuple[int, int]] = []
    stream = _EpochStream(lambda done, total: seen.append((done, total)), 200, 500)
    for text in ("\r0/300", "\r 12/300", "\n", "", "\r300/300"):
        stream.write(text)
    assert seen == [(200, 500), (212, 500), (500, 500)]


def _ignore(_done: int, _total: int) -> None:
    return


@pytest.mark.slow
@pytest.mark.timeout(600)  # numba compiles
@pytest.mark.parametrize("begun", [False, True])
def test_layout__tells_of_all_epochs_once_whether_it_begins_anew_or_from_a_map(begun: bool) -> None:
    points = np.random.default_rng(0).normal(size=(80, 5)).astype(np.float32)
    told: list[tuple[int, int]] = []
    xy = lay_out(
        points,
        UmapSettings(5, 0.1, 0),
        near_step=lambda _done, _total: None,
        epoch_step=lambda done, total: told.append((done, total)),
        start=points[:, :2] if begun else None,
    )
    assert np.isfinite(xy).all()
    assert told == sorted(told)
    assert told[-1] == (2000, 2000)


def test_layout__compiled_code_is_cached_on_disk_for_the_next_process() -> None:
    import numba
    import umap

    points = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    labels = (np.arange(20) % 2).astype(np.int32)
    lay_out(points, UmapSettings(5, 0.1, 0), near_step=_ignore, epoch_step=_ignore, labels=labels)
    modules = (umap.umap_, umap.layouts, umap.utils)
    compiled = {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if isinstance(function, numba.core.registry.CPUDispatcher) and function.signatures
    }
    assert "smooth_knn_dist" in compiled
    uncached = {name for name, function in compiled.items() if function.stats.cache_path is None}
    # what others call is compiled into them; the two generators are, for their given types, on import
    assert uncached <= {"clip", "tau_rand_int", "tau_rand"}


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
