"""The out-of-distribution score against values worked out by hand."""

import numpy as np
import pytest

from casekin.contracts.bundle import OutOfDistributionScale, Tail
from casekin.contracts.neighbours import ImageMeasures
from services.search.retrieval.out_of_distribution import score_query

SCALE = OutOfDistributionScale(
    upper={
        "neighbour_distance": Tail(beyond=4, excess=0.5),
        "extreme_coordinate": Tail(beyond=3, excess=1),
        "reconstruction_error": Tail(beyond=0.5, excess=0.1),
        "sharpness": Tail(beyond=20, excess=10),
        "brightness": Tail(beyond=0.75, excess=0.05),
        "redness": Tail(beyond=1, excess=1),
    },
    lower={"brightness": Tail(beyond=0.5, excess=0.1), "sharpness": Tail(beyond=10, excess=4)},
    latent_limit=3,
    image_limit=4,
)
USUAL = ImageMeasures(reconstruction_error=0.1, sharpness=15, brightness=0.6)
CENTRE = np.zeros((1, 2))


def test_score__adds_what_lies_beyond_the_tails_and_names_it_weightiest_first() -> None:
    found = score_query([5.0, 7.0], np.array([[0.0, -3.5]]), None, SCALE)
    assert found.score == pytest.approx(2 / 0.5 + 0.5)
    assert (found.limit, found.is_out_of_distribution) == (3, True)
    assert found.reasons == [
        "Far from every case of the collection",
        "Further out in one dimension than the collection's cases",
    ]
    other = score_query([4.5], np.array([[8.0, 0.0]]), None, SCALE)
    assert other.score == pytest.approx(0.5 / 0.5 + 5)
    assert other.reasons[0] == "Further out in one dimension than the collection's cases"


@pytest.mark.parametrize(
    ("measure", "value", "score", "reason"),
    [
        ("reconstruction_error", 1.0, 5.0, "Poorly reconstructed by the model"),
        ("sharpness", 70.0, 5.0, "Sharper edges than dermatoscopic images have, as of text or a screen"),
        ("sharpness", 0.0, 2.5, None),
        ("brightness", 1.0, 5.0, "Brighter than the collection's images"),
        ("brightness", 0.0, 5.0, "Darker than the collection's images"),
        ("brightness", 0.45, 0.5, None),
    ],
)
def test_score__uses_each_measure_of_the_image(measure: str, value: float, score: float, reason: str | None) -> None:
    found = score_query([1.0], CENTRE, USUAL.model_copy(update={measure: value}), SCALE)
    assert found.score == pytest.approx(score)
    assert found.limit == 4
    assert found.reasons == ([reason] if reason else [])
    assert found.is_out_of_distribution == (reason is not None)


def test_reasons__are_empty_where_the_score_is_within_the_limit() -> None:
    """A quarter of ordinary queries lies beyond the tail of one measure: that alone is no reason for a warning."""
    beyond_a_tail = score_query([5.5], CENTRE, None, SCALE)
    assert (beyond_a_tail.score, beyond_a_tail.is_out_of_distribution, beyond_a_tail.reasons) == (3, False, [])
    just_over = score_query([5.51], CENTRE, None, SCALE)
    assert (just_over.is_out_of_distribution, just_over.reasons) == (True, ["Far from every case of the collection"])


def test_score__of_a_usual_query_is_zero() -> None:
    for image in (None, USUAL):
        found = score_query([4.0], np.array([[3.0, -3.0]]), image, SCALE)
        assert (found.score, found.is_out_of_distribution, found.reasons) == (0, False, [])


def test_score__names_a_measure_of_a_later_bundle_by_itself() -> None:
    scale = OutOfDistributionScale(
        upper={"neighbour_distance": Tail(beyond=9, excess=1)},
        lower={"neighbour_distance": Tail(beyond=2, excess=0.1)},
        latent_limit=0.5,
        image_limit=1,
    )
    assert score_query([1.0], CENTRE, None, scale).reasons == ["Unusually small neighbour_distance"]
    large = scale.model_copy(update={"upper": {"neighbour_distance": Tail(beyond=1, excess=1)}, "lower": {}})
    assert score_query([9.0], CENTRE, None, large).reasons == ["Far from every case of the collection"]
    scale = scale.model_copy(update={"upper": {"extreme_coordinate": Tail(beyond=1, excess=1)}, "lower": {}})
    assert score_query([1.0], np.array([[2.0, 0.0], [-4.0, 0.0]]), None, scale).score == 3
