"""What a rollout asks for, checked before it is queued."""

import pytest

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.projector import Rollout
from casekin.errors import BadInput, WrongLatent
from services.projector.rollouts import check_rollout, steps_of

MANIFEST = BundleManifest.model_validate(BundleManifest.model_config["json_schema_extra"]["example"])
VERSION = MANIFEST.version


def _rollout(**changed: object) -> Rollout:
    return Rollout.model_validate({"bundle_version": VERSION, "latent": [0.0, 0.0]} | changed)


def test_steps__run_from_the_first_to_the_last_percent() -> None:
    assert steps_of(MANIFEST.dimensions[0], 3).tolist() == [-2.3, 0.0, 2.3]
    assert len(steps_of(MANIFEST.dimensions[1], 21)) == 21


def test_dimensions__are_all_or_those_asked_for_once() -> None:
    assert check_rollout(_rollout(), MANIFEST) == [0, 1]
    assert check_rollout(_rollout(dimensions=[1, 1]), MANIFEST) == [1]


@pytest.mark.parametrize(
    ("changed", "error", "told"),
    [
        ({"bundle_version": "b-2"}, WrongLatent, "b-2"),
        ({"latent": [0.0]}, WrongLatent, "1 numbers"),
        ({"dimensions": [2]}, BadInput, "no dimension 2; .* has 0 to 1"),
        ({"dimensions": [-1]}, BadInput, "no dimension -1"),
        ({"dimensions": []}, BadInput, "leave it out for all"),
    ],
)
def test_rollout__that_does_not_fit_the_model_is_refused(changed: dict, error: type, told: str) -> None:
    with pytest.raises(error, match=told):
        check_rollout(_rollout(**changed), MANIFEST)
