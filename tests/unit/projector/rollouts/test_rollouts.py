"""What a rollout asks for, checked before it is queued, and where its steps lie."""

import numpy as np
import pytest
from pydantic import ValidationError

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.rollouts import JointRollout, Rollout
from casekin.errors import BadInput, WrongLatent
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.rollouts.rollouts import check_dimensions, check_joint, check_subject, quantiles_of, values_at

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
