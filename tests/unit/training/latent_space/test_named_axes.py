import numpy as np
import pytest
from pydantic import TypeAdapter

from casekin.contracts.names import DimensionName
from training.evaluation.retrieval import Labelled, neighbours
from training.latent_space.attributes import attribute_aucs
from training.latent_space.named_axes import (
    LEAST_AUC,
    LEAST_CORRELATION,
    Target,
    agreement,
    name_axes,
    names_towards,
    rank_correlation,
    unlike,
)

COUNT, SIZE = 500, 8
LESIONS = np.array([f"lesion {number // 2}" for number in range(COUNT)])


@pytest.fixture
def means() -> np.ndarray:
    """Of unequal spread, as the diagnosis dimensions of a metric are."""
    return np.random.default_rng(0).normal(size=(COUNT, SIZE)) * np.geomspace(3, 0.3, SIZE)


def along(means: np.ndarray, seed: int, noise: float = 0.3) -> np.ndarray:
    random = np.random.default_rng(seed)
    seen = means / means.std(0) @ random.normal(size=SIZE)
    return seen / seen.std() + noise * random.normal(size=COUNT)


def target(kind: str, name: str, means: np.ndarray, values: np.ndarray) -> Target:
    return Target(name, kind, means, values, LESIONS)  # type: ignore[arg-type]


def test_name_axes__turn_and_leave_every_distance(means: np.ndarray) -> None:
    found = name_axes(means, [target("measure", "Size", means, along(means, 1))])
    np.testing.assert_allclose(found.matrix @ found.matrix.T, np.eye(SIZE), atol=1e-9)
    turned, ones = means @ found.matrix.T, np.ones(SIZE)
    sides = [
        Labelled(values[rows], np.zeros(COUNT), LESIONS[rows])
        for values in (means, turned)
        for rows in (np.arange(50), np.arange(50, COUNT))
    ]
    before, after = neighbours(*sides[:2], ones), neighbours(*sides[2:], ones)
    assert np.array_equal(before[0], after[0])
    np.testing.assert_allclose(before[1], after[1])


def test_name_axes__find_what_was_planted_and_name_it(means: np.ndarray) -> None:
    size, seen = along(means, 1), along(means, 2)
    melanoma = (seen > np.quantile(seen, 0.7)).astype(float)
    targets = [target("diagnosis", "Towards melanoma", means, melanoma), target("measure", "Size", means, np.exp(size))]
    found = name_axes(means, targets)
    assert found.names == ("Size", "Towards melanoma", *([None] * (SIZE - 2)))
    turned = means @ found.matrix.T
    assert rank_correlation(turned[:, 0], size) > 0.9
    assert attribute_aucs(turned[:, 1:2], {"melanoma": melanoma}, LESIONS)["melanoma"] > 0.8


def test_name_axes__put_known_directions_of_attributes_first_and_keep_one_exactly(means: np.ndarray) -> None:
    one, other = np.random.default_rng(8).normal(size=(2, SIZE))
    targets = [target("measure", "Size", means, along(means, 1))]
    alone = name_axes(means, targets, {"Globules": one})
    np.testing.assert_allclose(alone.matrix[0], one / np.linalg.norm(one))
    both = name_axes(means, targets, {"Globules": one, "Streaks": other})
    assert both.names[:3] == ("Globules", "Streaks", "Size")
    np.testing.assert_allclose(both.matrix @ both.matrix.T, np.eye(SIZE), atol=1e-9)
    for axis, wanted in zip(both.matrix, (one, other), strict=False):
        assert axis @ wanted / np.linalg.norm(wanted) > 0.9


def test_name_axes__leave_what_nothing_shows_without_a_name(means: np.ndarray) -> None:
    random = np.random.default_rng(3)
    targets = [
        target("measure", "Size", means, random.normal(size=COUNT)),
        target("diagnosis", "Towards nevus", means, (random.random(COUNT) < 0.3).astype(float)),
        target("diagnosis", "Towards melanoma", means, (random.random(COUNT) < 0.3).astype(float)),
        target("diagnosis", "Towards wart", means, np.eye(1, COUNT)[0]),  # of one image
        target("measure", "Constant", means, np.ones(COUNT)),
        target("measure", "Unknown", means, np.full(COUNT, np.nan)),
    ]
    found = name_axes(means, targets)
    assert set(found.names) == {None}
    np.testing.assert_allclose(
        np.cov((means @ found.matrix.T).T), np.diag(np.diag(np.cov((means @ found.matrix.T).T))), atol=1e-9
    )


def test_name_axes__serve_a_diagnosis_only_with_what_measures_leave(means: np.ndarray) -> None:
    """A diagnosis that is nothing but a measure has no axis left; one that is something else has."""
    means = means / means.std(0)
    seen, other = along(means, 4, 0.0), along(means, 5)
    targets = [
        target("diagnosis", "Towards nevus", means, (seen > np.quantile(seen, 0.6)).astype(float)),
        target("diagnosis", "Towards melanoma", means, (other > np.quantile(other, 0.8)).astype(float)),
        target("measure", "Size", means, seen),
    ]
    assert [name for name in name_axes(means, targets).names if name] == ["Size", "Towards melanoma"]


def test_name_axes__give_the_names_of_an_earlier_run_an_axis_and_no_others(means: np.ndarray) -> None:
    random = np.random.default_rng(6)
    targets = [
        target("measure", "Size", means, along(means, 1)),
        target("measure", "Redness", means, random.normal(size=COUNT)),
    ]
    attributes = {"Globules": random.normal(size=SIZE), "Streaks": random.normal(size=SIZE)}
    found = name_axes(means, targets, attributes, ["Redness", "Streaks", "Not of this collection"])
    assert [name for name in found.names if name] == ["Streaks", "Redness"]


def test_name_axes__with_more_targets_than_dimensions_name_all(means: np.ndarray) -> None:
    few = means[:, :2]
    targets = [target("measure", f"Measure {n}", few, few @ np.random.default_rng(n).normal(size=2)) for n in range(5)]
    found = name_axes(few, targets)
    assert len(set(found.names)) == 2
    assert None not in found.names


def test_agreement__is_cross_validated_by_lesion() -> None:
    """Both images of a lesion look alike and say nothing of others."""
    random = np.random.default_rng(7)
    means = np.repeat(random.normal(size=(COUNT // 2, 60)), 2, 0)
    measure = target("measure", "Size", means, np.repeat(random.normal(size=COUNT // 2), 2))
    seen = target("diagnosis", "Towards melanoma", means, np.repeat(random.integers(2, size=COUNT // 2), 2) * 1.0)
    assert abs(agreement(measure, np.eye(60))) < LEAST_CORRELATION / 2
    assert abs(agreement(seen, np.eye(60)) - 0.5) < (LEAST_AUC - 0.5) / 2


def test_names_towards__are_the_collections_words_unique_and_no_diagnosis() -> None:
    long = "Actinic keratosis or intraepithelial carcinoma of some rare kind"
    names = names_towards(["Melanoma", "BCC", "Towards melanoma", long, f"{long} 2", "nv"])
    assert names[:3] == ["Towards melanoma (2)", "Towards BCC", "Towards towards melanoma"]
    assert names[5] == "Towards nv"
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert TypeAdapter(DimensionName).validate_python(name) == name


def test_unlike__counts_on_until_the_name_is_free() -> None:
    assert unlike("Melanoma", {"melanoma", "melanoma (2)"}) == "Melanoma (3)"
    assert unlike("Size", {"melanoma"}) == "Size"
