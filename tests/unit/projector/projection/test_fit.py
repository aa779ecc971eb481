"""A fit on a sample, the others placed among it: what collections beyond the limit get."""

import numpy as np
import pytest

from casekin.contracts.maps import MapFit
from casekin.contracts.projector import Progress
from services.projector.latents.collection_latents import CollectionLatents, stable_sample
from services.projector.projection.fit import lay_out_collection


@pytest.mark.slow
@pytest.mark.timeout(600)  # numba compiles
def test_fit__beyond_its_limit_lays_out_a_sample_and_places_the_others_in_their_clusters() -> None:
    rng, cases = np.random.default_rng(1), 240
    cluster = np.arange(cases) % 3
    latents = (rng.normal(0, 8, (3, 4))[cluster] + rng.normal(0, 0.5, (cases, 4))).astype(np.float32)
    names = [f"C{row:03d}" for row in range(cases)]
    collection = CollectionLatents("tiny-1", "r1", names, [None] * cases, [None] * cases, latents)
    told: list[Progress] = []
    laid = lay_out_collection(latents, collection, MapFit(start="pca"), None, told.append, at_most=150)
    assert laid.fitted == 150
    assert np.isfinite(laid.xy).all()
    sample = stable_sample(names, 150)
    placed = np.setdiff1d(np.arange(cases), sample)
    centres = np.stack([laid.xy[sample][cluster[sample] == one].mean(0) for one in range(3)])
    nearest = np.linalg.norm(laid.xy[placed][:, None] - centres[None], axis=2).argmin(1)
    np.testing.assert_array_equal(nearest, cluster[placed])
    assert told[-1].message == "90 of 90 cases placed"
    alone = lay_out_collection(latents[sample], collection.part(sample), MapFit(start="pca"), None, told.append)
    np.testing.assert_array_equal(alone.xy, laid.xy[sample])
