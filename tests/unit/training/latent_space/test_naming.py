import numpy as np
import pytest

from casekin.contracts.bundle import NameEvidence
from training.latent_space.naming import followed, holds


def test_followed__names_only_what_correlates_and_each_factor_once() -> None:
    random = np.random.default_rng(3)
    factors = random.normal(size=(300, 2))
    latents = np.stack([factors[:, 1], factors[:, 1] + 0.1 * random.normal(size=300), random.normal(size=300)], 1)
    factors[0] = np.nan  # an image without a mask
    assert followed(latents, factors, ["Size", "Redness"]) == ["Redness", None, None]


def test_followed__of_images_without_any_factor_is_nothing() -> None:
    assert followed(np.ones((5, 3)), np.full((5, 2), np.nan), ["Size", "Redness"]) == [None, None, None]
    assert followed(np.ones((5, 3)), np.empty((5, 0)), []) == [None, None, None]


def test_followed__does_not_name_what_shrinks_as_the_factor_grows() -> None:
    factor = np.random.default_rng(3).normal(size=(300, 1))
    assert followed(-factor, factor, ["Size"]) == [None]


@pytest.mark.parametrize(
    ("figure", "value", "p", "kept"),
    [
        ("auc", 0.8, 0.005, True),
        ("auc", 0.6, 0.005, False),
        ("auc", 0.7, 0.1, False),
        ("rank_correlation", 0.35, 0.005, True),
        ("rank_correlation", 0.2, 0.005, False),
        ("rank_correlation", -0.8, 1.0, False),
    ],
)
def test_holds__takes_a_name_away_where_held_out_lesions_do_not_bear_it_out(
    figure: str, value: float, p: float, kept: bool
) -> None:
    given = {"figure": figure, "value": value, "low": -0.9, "high": 0.95, "p": p}
    given |= {"images": 300, "lesions": 200, "data": "a"}
    assert holds(NameEvidence.model_validate(given)) == kept
