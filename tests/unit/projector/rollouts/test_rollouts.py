"""Checks of a rollout before it is queued, and its steps: values, images, the cases near them."""

from typing import cast

import numpy as np
import pytest
from pydantic import ValidationError

from casekin.clients import EncoderClient
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.encoder import DecodeRequest, DecodeResponse
from casekin.contracts.rollouts import JointRollout, Rollout, Trajectory
from casekin.errors import BadInput, WrongLatent
from services.projector.latents.collection_latents import CollectionLatents
from services.projector.latents.weighted_knn import WeightedKnn
from services.projector.rollouts.near_cases import NEIGHBOURS, NearCases, own_cases
from services.projector.rollouts.rollouts import (
    check_dimensions,
    check_joint,
    check_subject,
    quantiles_of,
    roll_out,
    values_at,
)
from services.projector.rollouts.steps import StepContext
from services.projector.rollouts.trajectory import follow_line

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


def _context(
    subject: Rollout | Trajectory, collection: CollectionLatents, weights: tuple[float, ...] = (1.0, 1.0)
) -> StepContext:
    latent = np.array(subject.latent or collection.latents[collection.row_of(subject.case or "")], np.float64)
    own = own_cases(subject, latent, collection, collection, MANIFEST.same_picture_within)
    near = NearCases(WeightedKnn(collection, list(weights)), own, None)
    return StepContext(MANIFEST, cast("EncoderClient", _Decoder()), collection, "custom", list(weights), near)


def _of_case(case: str) -> Rollout:
    return _rollout(latent=None, case=case)


def _collection() -> CollectionLatents:
    """The subject, two siblings of a diagnosis of their own right beside it, and twenty others farther out."""
    latents = np.array([[0, 0], [0.01, 0], [0, 0.01], *[[1 + n, 0] for n in range(20)]], np.float32)
    names = [f"c{row}" for row in range(23)]
    diagnoses = ["mel", "bcc", "bcc", *["nv"] * 20]
    return CollectionLatents(
        VERSION, "1", names, diagnoses, ["L1", "L1", "L1", *[f"L{n + 2}" for n in range(20)]], latents
    )


def test_steps__of_a_case_count_neither_it_nor_its_siblings_as_neighbours() -> None:
    frame, steps = _context(_of_case("c0"), _collection()).steps(np.zeros((3, 2)), lambda _: None)
    assert frame["neighbours"] == NEIGHBOURS
    assert [step.shares for step in [frame["here"], *steps]] == [{"nv": 1.0}] * 3
    assert [step.nearest and step.nearest.id for step in steps] == ["c3", "c3"], "the same for both"


def test_steps__of_a_query_count_every_case_but_its_own() -> None:
    frame, _ = _context(_rollout(latent=[0.0, 3.0]), _collection()).steps(np.zeros((1, 2)), lambda _: None)
    assert frame["here"].shares == {"nv": 0.8, "bcc": 0.1333, "mel": 0.0667}
    assert frame["here"].nearest is not None
    assert (frame["here"].nearest.id, frame["here"].nearest.diagnosis) == ("c0", "mel")


@pytest.mark.parametrize(
    "own",
    [{"latent": [0.0, 5e-4]}, {"latent": [0.0, 3.0], "own_lesion": "L1"}],
    ids=["a copy of the picture of c0", "the user names the lesion"],
)
def test_nearest__is_never_of_a_lesion_that_is_the_query_s_own(own: dict[str, object]) -> None:
    frame, _ = _context(_rollout(**own), _collection()).steps(np.zeros((1, 2)), lambda _: None)
    assert frame["here"].nearest is not None
    assert frame["here"].nearest.id == "c3"


def test_nearest__is_the_case_at_the_smallest_distance_under_the_weights() -> None:
    rng = np.random.default_rng(4)
    latents = rng.normal(size=(300, 2)).astype(np.float32)
    names, codes = [f"c{n}" for n in range(300)], [("nv", "mel", None)[n % 3] for n in range(300)]
    collection = CollectionLatents(VERSION, "1", names, codes, [f"L{n // 2}" for n in range(300)], latents)
    points = rng.normal(size=(40, 2))
    ranked = []
    for weights in ((1.0, 1.0), (9.0, 0.01)):
        _, steps = _context(_of_case("c8"), collection, weights).steps(np.vstack([points[:1], points]), lambda _: None)
        distances = np.sqrt((weights * (points[:, None] - latents) ** 2).sum(2))
        distances[:, 8:10] = np.inf  # the subject and the other case of its lesion
        for step, row in zip(steps, distances.argmin(1), strict=True):
            assert step.nearest is not None
            assert (step.nearest.id, step.nearest.diagnosis) == (names[row], codes[row])
        found = [step.nearest.distance for step in steps if step.nearest]
        np.testing.assert_allclose(found, distances.min(1), atol=1e-4)
        ranked.append([step.nearest.id for step in steps if step.nearest])
    assert ranked[0] != ranked[1], "other weights, other cases"


def test_nearest__of_a_collection_of_nothing_but_the_own_lesion_is_none() -> None:
    alone = _collection().part(np.arange(3))
    frame, steps = _context(_of_case("c0"), alone).steps(np.zeros((2, 2)), lambda _: None)
    assert [(step.nearest, step.shares) for step in [frame["here"], *steps]] == [(None, {})] * 2
    assert frame["cases"] == 3


def test_nearest__without_a_collection_is_none() -> None:
    bare = StepContext(MANIFEST, cast("EncoderClient", _Decoder()), None, "visual", [1.0, 1.0], None)
    frame, (step,) = bare.steps(np.zeros((2, 2)), lambda _: None)
    assert (step.nearest, step.shares, frame["cases"], frame["preset"]) == (None, None, 0, "visual")


def test_trajectory__ends_at_the_case_itself_and_measures_under_the_weights() -> None:
    payload = Trajectory(bundle_version=VERSION, latent=[0.0, 0.5], to="c22", steps=3)
    result = follow_line(payload, _context(payload, _collection(), (4.0, 1.0)), np.array([0.0, 0.5]), lambda _: None)
    assert result.distance == pytest.approx(np.sqrt(4 * 20**2 + 0.5**2), abs=1e-4)
    last = result.steps[-1].nearest
    assert last is not None
    assert (last.id, last.distance) == ("c22", 0)


def test_rollout__goes_down_to_the_negative_side_of_a_dimension() -> None:
    latents = np.random.default_rng(1).normal(size=(500, 2)).astype(np.float32)
    collection = CollectionLatents(VERSION, "1", [f"c{n}" for n in range(500)], ["nv"] * 500, [None] * 500, latents)
    payload = _rollout(dimensions=[0])
    rollout = roll_out(payload, _context(payload, collection), np.array([-0.5, 0.2]), lambda _: None)
    (row,) = rollout.rows
    assert row.values == sorted(row.values)
    assert row.values[0] < -1.5
    assert row.values[-1] > 1.5
    assert [step.image for step in row.steps] == [f"data:,{value:.3f}" for value in row.values]
    assert row.origin == -0.5
    assert row.origin_quantile == pytest.approx((latents[:, 0] < -0.5).mean(), abs=1e-4)
    assert rollout.here.image == "data:,-0.500"
