"""Checks of a rollout before it is queued, and its steps: values, images, diagnoses of neighbours."""

from typing import cast

import numpy as np
import pytest
from pydantic import ValidationError

from casekin.clients import EncoderClient
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.encoder import DecodeRequest, DecodeResponse
from casekin.contracts.rollouts import JointRollout, Rollout
from casekin.errors import BadInput, WrongLatent
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.latents.weighted_knn import WeightedKnn
from services.projector.rollouts.rollouts import (
    check_dimensions,
    check_joint,
    check_subject,
    quantiles_of,
    roll_out,
    values_at,
)
from services.projector.rollouts.steps import NEIGHBOURS, RolloutContext

MANIFEST = BundleManifest.model_validate(BundleManifest.model_config["json_schema_extra"]["example"])
VERSION = MANIFEST.version


def _rollout(**changed: object) -> Rollout:
    return Rollout.model_validate({"bundle_version": VERSION, "latent": [0.0, 0.0]} | changed)


def test_steps__are_quantiles_with_clipped_ends() -> None:
    assert quantiles_of(11).tolist() == [0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99]
    assert quantiles_of(3).tolist() == [0.01, 0.5, 0.99]


def test_values__leave_as_many_cases_below_as_the_quantile_says() -> None:
    latents = np.random.default_rng(1).gamma(2, size=(1001, 2)).astype(np.float32)
    collection = CollectionLatents(VERSION, "1", [""] * 1001, [None] * 1001, [None] * 1001, latents)
    quantiles = quantiles_of(11)
    below = [(latents[:, 1] < value).mean() for value in values_at(quantiles, 1, collection, MANIFEST)]
    np.testing.assert_allclose(below, quantiles, atol=0.002)


def test_values__without_a_collection_are_those_of_the_training_set() -> None:
    assert values_at(quantiles_of(3), 0, None, MANIFEST).tolist() == [-2.3, 0.0, 2.3]
    assert values_at(np.array([0.15]), 0, None, MANIFEST).tolist() == [-1.15]  # half way between 5 % and 25 %


def test_dimensions__are_all_or_those_asked_for_once() -> None:
    assert check_dimensions(None, MANIFEST) == [0, 1]
    assert check_dimensions([1, 1], MANIFEST) == [1]


@pytest.mark.parametrize(
    ("asked", "told"),
    [([2], "no dimension 2; .* has 0 to 1"), ([-1], "no dimension -1"), ([], "leave it out for all")],
)
def test_dimensions__that_the_model_lacks_are_refused(asked: list[int], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        check_dimensions(asked, MANIFEST)


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"bundle_version": "b-2"}, "b-2"), ({"latent": [0.0]}, "1 numbers"), ({"latent": [0.0] * 3}, "3 numbers")],
)
def test_subject__that_does_not_fit_the_model_is_refused(changed: dict, told: str) -> None:
    with pytest.raises(WrongLatent, match=told):
        check_subject(_rollout(**changed), MANIFEST)


@pytest.mark.parametrize("changed", [{"latent": None}, {"case": "C1"}])
def test_subject__is_a_query_or_a_case_and_not_both(changed: dict) -> None:
    with pytest.raises(ValidationError, match=r"either latent .* or case"):
        _rollout(**changed)


def test_joint__needs_two_dimensions_that_differ() -> None:
    check_joint(JointRollout(bundle_version=VERSION, latent=[0.0, 0.0], dimensions=(1, 0)), MANIFEST)
    with pytest.raises(BadInput, match="both dimensions are 1"):
        check_joint(JointRollout(bundle_version=VERSION, latent=[0.0, 0.0], dimensions=(1, 1)), MANIFEST)


class _Decoder:
    """Draws nothing: what a step says beside its image is the projector's own."""

    def decode(self, request: DecodeRequest) -> DecodeResponse:
        images = [f"data:,{latent[0]:.3f}" for latent in request.latents]
        return DecodeResponse(bundle_version=request.bundle_version, width=4, height=3, images=images)


def _context(case: str | None, collection: CollectionLatents) -> RolloutContext:
    knn = WeightedKnn(collection, [1.0, 1.0])
    return RolloutContext(MANIFEST, cast("EncoderClient", _Decoder()), collection, knn, None, case)


def _collection() -> CollectionLatents:
    """The subject, two siblings of a diagnosis of their own right beside it, and twenty others farther out."""
    latents = np.array([[0, 0], [0.01, 0], [0, 0.01], *[[1 + n, 0] for n in range(20)]], np.float32)
    names = [f"c{row}" for row in range(23)]
    diagnoses = ["mel", "bcc", "bcc", *["nv"] * 20]
    return CollectionLatents(
        VERSION, "1", names, diagnoses, ["L1", "L1", "L1", *[f"L{n + 2}" for n in range(20)]], latents
    )


def test_steps__of_a_case_count_neither_it_nor_its_siblings_as_neighbours() -> None:
    frame, steps = _context("c0", _collection()).steps(np.zeros((3, 2)), lambda _: None)
    assert frame["neighbours"] == NEIGHBOURS
    assert [step.shares for step in [frame["here"], *steps]] == [{"nv": 1.0}] * 3


def test_steps__of_a_query_count_every_case() -> None:
    frame, _ = _context(None, _collection()).steps(np.zeros((1, 2)), lambda _: None)
    assert frame["here"].shares == {"nv": 0.8, "bcc": 0.1333, "mel": 0.0667}


def test_rollout__goes_down_to_the_negative_side_of_a_dimension() -> None:
    latents = np.random.default_rng(1).normal(size=(500, 2)).astype(np.float32)
    collection = CollectionLatents(VERSION, "1", [f"c{n}" for n in range(500)], ["nv"] * 500, [None] * 500, latents)
    rollout = roll_out(_rollout(dimensions=[0]), _context(None, collection), np.array([-0.5, 0.2]), lambda _: None)
    (row,) = rollout.rows
    assert row.values == sorted(row.values)
    assert row.values[0] < -1.5
    assert row.values[-1] > 1.5
    assert [step.image for step in row.steps] == [f"data:,{value:.3f}" for value in row.values]
    assert row.origin == -0.5
    assert row.origin_quantile == pytest.approx((latents[:, 0] < -0.5).mean(), abs=1e-4)
    assert rollout.here.image == "data:,-0.500"
