"""Checks of version, latent and weights: at their bounds, beyond them, and in words."""

from typing import Any

import numpy as np
import pytest

from casekin.contracts.search import SearchRequest
from casekin.errors import WrongLatent, WrongWeights
from services.search.retrieval.metric import check_latent, check_version, metric_for
from tests.integration.search.made import CLINICAL, manifest

MADE = manifest()


def request(**fields: Any) -> SearchRequest:
    return SearchRequest(bundle_version="made-1", latents=([0.0] * 4,), **fields)


def test_version__of_another_bundle_is_refused_by_both_names() -> None:
    check_version(MADE, "made-1")
    with pytest.raises(WrongLatent) as caught:
        check_version(MADE, "made-2")
    text = "the latent is of bundle made-2, this collection of bundle made-1; encode the image again"
    assert caught.value.detail == text


@pytest.mark.parametrize("length", [0, 3, 5])
def test_latent__of_another_length_is_refused(length: int) -> None:
    with pytest.raises(WrongLatent) as caught:
        check_latent(MADE, [0.0] * length)
    assert caught.value.detail == f"the latent has {length} numbers; bundle made-1 has 4 dimensions"
    with pytest.raises(WrongLatent, match="case x has"):
        check_latent(MADE, [0.0] * length, "case x")


def test_latent__keeps_its_numbers_in_double_precision() -> None:
    checked = check_latent(MADE, [-1.5, 0.1, 1e6, -1e6])
    assert checked.dtype == np.float64
    assert checked.tolist() == [-1.5, 0.1, 1e6, -1e6]


def test_metric__of_presets() -> None:
    visual, clinical = metric_for(MADE, request(preset="visual")), metric_for(MADE, request(preset="clinical"))
    assert (visual.space, visual.weights.tolist()) == ("visual", [1, 1, 1, 1])
    assert (clinical.space, clinical.weights.tolist()) == ("clinical", CLINICAL.tolist())
    assert clinical.weights.dtype == visual.weights.dtype == np.float64


@pytest.mark.parametrize("weights", [[0, 0, 0, 1e-6], [1e6, 0, 0, 0], [1.0, 0.5, 0.0, 2.0]])
def test_metric__of_own_weights_up_to_the_bounds(weights: list[float]) -> None:
    metric = metric_for(MADE, request(preset="custom", weights=weights))
    assert (metric.space, metric.weights.tolist()) == ("weighted", weights)
    assert metric.weights.dtype == np.float64


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"preset": "custom"}, "preset custom needs weights: 4 non-negative numbers, one a dimension"),
        ({"preset": "custom", "weights": [1.0]}, "1 weights were sent; bundle made-1 has 4 dimensions"),
        ({"preset": "custom", "weights": [1, -0.5, 0, 0]}, "weight 1 is -0.5; it must be a number from 0 to 1000000"),
        (
            {"preset": "custom", "weights": [1, 0, 0, 1000001]},
            "weight 3 is 1000001.0; it must be a number from 0 to 1000000",
        ),
        (
            {"preset": "custom", "weights": [0, 0, 0, 9e-7]},
            "the largest weight is 9e-07, so every case is equally near; give one dimension 1e-06 or more",
        ),
        (
            {"preset": "visual", "weights": [1.0] * 4},
            "weights go with preset custom; the preset is visual: leave one of them out",
        ),
    ],
)
def test_metric__of_wrong_weights_is_refused_by_value_and_limit(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(WrongWeights) as caught:
        metric_for(MADE, request(**fields))
    assert caught.value.detail == text


def test_metric__of_a_weight_that_is_no_number_is_refused() -> None:
    own = request(preset="custom", weights=[1.0] * 4)
    with pytest.raises(WrongWeights, match="weight 0 is nan"):
        metric_for(MADE, own.model_copy(update={"weights": [float("nan"), 1, 1, 1]}))
