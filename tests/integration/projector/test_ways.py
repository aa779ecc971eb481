"""Rollouts, grids, moving pictures and trajectories over HTTP: a real worker, Redis and encoder."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from casekin.clients import ProjectorClient
from casekin.contracts.rollouts import (
    Animation,
    AnimationResult,
    JointResult,
    JointRollout,
    NearestCase,
    Rollout,
    RolloutResult,
    Trajectory,
    TrajectoryResult,
)
from casekin.errors import BadInput, NotFound, WrongLatent, WrongWeights
from tests.integration.projector.conftest import Station
from tests.integration.projector.fitted import leave_map
from tests.integration.projector.small_search import WEIGHTS

LATENT = [0.3, -1.2, 0.5, 0.1]
QUERY = {"bundle_version": "tiny-1", "latent": LATENT}


def _roll(client: ProjectorClient, **changed: object) -> RolloutResult:
    asked = Rollout.model_validate(QUERY | changed)
    return client.wait(client.submit(asked), RolloutResult, timeout_s=60)


def _of_case(case: str, steps: int = 3) -> Rollout:
    return Rollout(bundle_version="tiny-1", case=case, steps=steps)


def test_rollout__varies_each_dimension_over_its_range_in_the_collection(
    station: Station, client: ProjectorClient
) -> None:
    result = _roll(client)
    assert [row.dimension for row in result.rows] == [0, 1, 2, 3]
    for row in result.rows:
        mine = station.collection.latents[:, row.dimension].astype(np.float32)
        assert row.origin == LATENT[row.dimension]
        assert row.origin_quantile == pytest.approx((mine < row.origin).mean(), abs=1e-4)
        np.testing.assert_allclose(row.values, np.quantile(mine, row.quantiles), atol=1e-3)
        assert len(row.steps) == len(row.quantiles) == 11
        assert len({step.image for step in row.steps}) > 3, "the images differ along the row"
    assert result.revision == station.collection.revision


def test_rollout__before_there_is_a_map_has_neighbours_and_no_places(client: ProjectorClient) -> None:
    result = _roll(client, steps=3)
    assert result.map_id is None
    assert (result.here.x, result.here.y) == (None, None)
    for row in result.rows:
        assert all(step.shares and sum(step.shares.values()) == pytest.approx(1, abs=1e-3) for step in row.steps)


def test_rollout__tells_at_each_step_which_cases_lie_there_and_where_that_is(
    station: Station, client: ProjectorClient
) -> None:
    fitted, held = leave_map(station), station.collection
    at = held.latents[31]  # its picture is in the collection: that case and its lesion tell nothing
    own = [row for row, case in enumerate(held.cases) if case.lesion_id == held.cases[31].lesion_id]
    result = _roll(client, latent=at.astype(np.float32).tolist(), dimensions=[2], steps=5)
    assert result.map_id == fitted.version.id
    assert (result.here.x, result.here.y) == pytest.approx((at[0], at[1]), abs=1e-3)
    for value, step in zip(result.rows[0].values, result.rows[0].steps, strict=True):
        there = at.copy()
        there[2] = value
        squared = (WEIGHTS["clinical"] * (held.latents - there) ** 2).sum(1)
        near = [row for row in np.argsort(squared) if row not in own][: result.neighbours]
        assert step.shares is not None
        assert step.nearest is not None
        first = held.cases[near[0]]
        assert (step.nearest.id, step.nearest.diagnosis) == (first.id, first.diagnosis)
        assert step.nearest.distance == pytest.approx(np.sqrt(squared[near[0]]), abs=1e-3)
        expected = np.mean([held.cases[row].diagnosis == "nv" for row in near])
        assert step.shares.get("nv", 0) == pytest.approx(expected, abs=1e-3)
        around = np.argsort(squared)[: result.neighbours]
        low, high = held.latents[around, :2].min(0) - 1e-3, held.latents[around, :2].max(0) + 1e-3
        assert (low <= [step.x, step.y]).all()
        assert ([step.x, step.y] <= high).all()


def test_rollout__of_a_case_is_that_of_its_latent_without_its_own_lesion(
    station: Station, client: ProjectorClient
) -> None:
    leave_map(station)
    held, cases = station.collection, station.collection.cases
    own = client.wait(client.submit(_of_case(cases[30].id)), RolloutResult, timeout_s=60)
    same = _roll(client, latent=held.latents[30].astype(np.float32).tolist(), steps=3)
    assert [row.steps[1].image for row in own.rows] == [row.steps[1].image for row in same.rows]
    assert (own.here.x, own.here.y) == (same.here.x, same.here.y)
    squared = (WEIGHTS["clinical"] * (held.latents - held.latents[30]) ** 2).sum(1)
    others = [row for row in np.argsort(squared) if cases[row].lesion_id != cases[30].lesion_id]
    expected = np.mean([cases[row].diagnosis == "nv" for row in others[: own.neighbours]])
    assert own.here.shares is not None
    assert own.here.shares.get("nv", 0) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("weighing", [{"preset": "visual"}, {"preset": "custom", "weights": [0.0, 0.0, 9.0, 0.01]}])
def test_rollout__names_the_nearest_case_under_the_weights_of_the_request_and_places_under_those_of_the_map(
    station: Station, client: ProjectorClient, weighing: dict[str, object]
) -> None:
    leave_map(station)
    held, weights = station.collection, np.array(weighing.get("weights", WEIGHTS["visual"]))
    clinical = _roll(client, dimensions=[1], steps=5)
    result = _roll(client, dimensions=[1], steps=5, **weighing)
    assert (result.preset, result.cases) == (weighing["preset"], len(held.cases))
    for value, step, other in zip(result.rows[0].values, result.rows[0].steps, clinical.rows[0].steps, strict=True):
        there = np.array(LATENT)
        there[1] = value
        squared = (weights * (held.latents - there) ** 2).sum(1)
        assert step.nearest is not None
        assert step.nearest.id == held.cases[squared.argmin()].id
        assert step.nearest.distance == pytest.approx(np.sqrt(squared.min()), abs=1e-3)
        assert (step.x, step.y) == (other.x, other.y), "the map stays as it is"


def test_nearest__is_of_the_collection_and_not_only_of_the_map(station: Station, client: ProjectorClient) -> None:
    leave_map(station)
    held, before = station.collection, station.collection.latents
    held.latents = np.vstack([before, [LATENT]]) + np.array([0, 0, 0, 0.1])  # one case more than the map has
    try:
        result = _roll(client, dimensions=[1], steps=3)
    finally:
        held.latents = before
    assert result.here.nearest is not None
    assert (result.here.nearest.id, result.cases) == ("C00060", 61)


def test_rollout__of_a_case_that_was_deleted_in_between_fails_by_name(
    station: Station, client: ProjectorClient
) -> None:
    held = station.collection
    client.wait(client.submit(_of_case("C00059")), RolloutResult, timeout_s=60)
    before, held.latents = held.latents, held.latents[:-1]
    try:
        with pytest.raises(NotFound, match="no case C00059 in the collection; it may have been deleted"):
            client.wait(client.submit(_of_case("C00059")), RolloutResult, timeout_s=60)
    finally:
        held.latents = before


def test_joint__varies_two_dimensions_as_a_rollout_varies_one(client: ProjectorClient) -> None:
    asked = JointRollout.model_validate(QUERY | {"dimensions": (1, 3), "steps": 5})
    grid = client.wait(client.submit(asked), JointResult, timeout_s=60)
    assert [len(row) for row in grid.grid] == [5] * 5
    fixed = [*LATENT[:3], grid.rows[2]]
    row = _roll(client, latent=fixed, dimensions=[1], steps=5).rows[0]
    assert row.values == grid.columns
    assert [step.image for step in row.steps] == [step.image for step in grid.grid[2]]
    assert [step.shares for step in row.steps] == [step.shares for step in grid.grid[2]]


def test_animation__is_a_file_that_moves_up_and_back(client: ProjectorClient) -> None:
    asked = Animation.model_validate(QUERY | {"dimension": 0, "frames": 5, "milliseconds": 60})
    job = client.submit(asked)
    result = client.wait(job, AnimationResult, timeout_s=60)
    content, kind = client.file(job.id)
    assert (kind, len(content), result.link) == ("image/webp", result.size, f"/v1/jobs/{job.id}/file")
    picture = Image.open(io.BytesIO(content))
    assert (picture.n_frames, picture.size) == (result.frames, (64, 48))
    red, shown = [], []
    for frame in range(result.frames):
        picture.seek(frame)
        picture.load()
        red.append(np.asarray(picture.convert("RGB"))[..., 0].mean())
        shown.append(picture.info["duration"])
    assert sum(shown) == 8 * 60, "five frames up and three back, equal ones as one"
    top = int(np.argmax(red))
    assert red[: top + 1] == sorted(red[: top + 1])
    assert red[top:] == sorted(red[top:], reverse=True)
    assert max(red) - min(red) > 20


def test_file__of_a_job_without_one_is_not_found(client: ProjectorClient) -> None:
    job = client.submit(Rollout.model_validate(QUERY))
    client.wait(job, RolloutResult, timeout_s=60)
    with pytest.raises(NotFound, match="has no file"):
        client.file(job.id)


def test_trajectory__leads_from_the_query_to_the_case(station: Station, client: ProjectorClient) -> None:
    leave_map(station)
    asked = Trajectory.model_validate(QUERY | {"to": "C00045", "steps": 5})
    way = client.wait(client.submit(asked), TrajectoryResult, timeout_s=60)
    there = station.collection.latents[45]
    assert len(way.steps) == 5
    assert way.steps[0] == way.here
    assert way.steps[-1].nearest == NearestCase(id="C00045", diagnosis="mel", distance=0)
    assert (way.steps[-1].x, way.steps[-1].y) == pytest.approx((there[0], there[1]), abs=1e-3)
    own = _roll(client, latent=there.astype(np.float32).tolist(), dimensions=[0], steps=3)
    assert _colour(way.steps[-1].image) == pytest.approx(_colour(own.here.image), abs=2)
    assert way.distance == pytest.approx(np.sqrt((WEIGHTS["clinical"] * (there - LATENT) ** 2).sum()), rel=1e-4)
    with pytest.raises(NotFound, match="no case nobody"):
        client.wait(client.submit(asked.model_copy(update={"to": "nobody"})), TrajectoryResult, timeout_s=60)


def test_way__that_cannot_be_gone_says_why(client: ProjectorClient) -> None:
    with pytest.raises(WrongLatent, match=r"other-1.*tiny-1"):
        client.submit(Rollout.model_validate(QUERY | {"bundle_version": "other-1"}))
    with pytest.raises(BadInput, match=r"no dimension 9.*0 to 3"):
        client.submit(Animation.model_validate(QUERY | {"dimension": 9}))
    with pytest.raises(BadInput, match="both dimensions are 2"):
        client.submit(JointRollout.model_validate(QUERY | {"dimensions": (2, 2)}))
    with pytest.raises(BadInput, match="either latent"):
        client._call("POST", "/v1/jobs", json={"kind": "trajectory", "bundle_version": "tiny-1", "to": "C00001"})
    with pytest.raises(WrongWeights, match="3 weights were sent; bundle tiny-1 has 4 dimensions"):
        client.submit(Rollout.model_validate(QUERY | {"preset": "custom", "weights": [1.0] * 3}))
    with pytest.raises(WrongWeights, match="the preset is clinical: leave one of them out"):
        client.submit(Trajectory.model_validate(QUERY | {"to": "C00001", "weights": [1.0] * 4}))
    with pytest.raises(WrongWeights, match="the largest weight is 0"):
        client.submit(
            JointRollout.model_validate(QUERY | {"dimensions": (0, 1), "preset": "custom", "weights": [0] * 4})
        )
    with pytest.raises(NotFound, match="GET /v1/maps"):
        client.submit(Rollout.model_validate(QUERY | {"map_id": "a" * 32}))


def test_map_of_another_bundle__gives_no_places(station: Station, client: ProjectorClient) -> None:
    old = leave_map(station, bundle="older-1", number=7)
    assert _roll(client, steps=4).map_id is None
    job = client.submit(Rollout.model_validate(QUERY | {"map_id": old.version.id, "steps": 4}))
    assert client.wait(job, RolloutResult, timeout_s=60).map_id is None


def _colour(uri: str) -> np.ndarray:
    """Mean red, green and blue."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))), float).mean((0, 1))
