import itertools

import numpy as np
import pytest

from training.evaluation.retrieval import NEIGHBOURS, Labelled, nearest_lesions
from training.latent_space.clinical_metric import (
    POWERS,
    SHARES,
    Sides,
    calibrate,
    calibrate_by_diagnosis,
    clinical_weights,
    learn_metric,
    temperature,
)


def _cases(count: int, seed: int, prefix: str) -> Labelled:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    latents = random.normal(size=(count, 3))
    latents[:, 0] += 3 * labels
    return Labelled(latents, labels, [f"{prefix}{i}" for i in range(count)])


def test_clinical_weights__give_back_the_distance_that_the_standardisation_changed() -> None:
    random = np.random.default_rng(0)
    raw = random.normal(size=(50, 5)) * [2.0, 0.5, 1.0, 1.0, 1.0]
    spread = raw.std(0)
    weights = clinical_weights(spread, 2, 0.0)
    assert weights.mean() == pytest.approx(1)
    standardised = raw / spread
    ours = ((standardised[:, None] - standardised) ** 2 @ weights) ** 0.5
    guided = np.linalg.norm(raw[:, None, :2] - raw[:, :2], axis=2)
    np.testing.assert_allclose(ours, guided * (ours[0, 1] / guided[0, 1]))


def test_clinical_weights__count_each_appearance_dimension_as_a_share_of_the_others() -> None:
    weights = clinical_weights(np.array([2.0, 1.0, 7.0]), 2, 0.1)
    assert weights[2] == pytest.approx(0.1 * weights[:2].mean())


# Between the least shares chance decides: one appearance dimension at a thousandth changes hardly any order.
@pytest.mark.parametrize(("telling", "shares"), [(0, SHARES[:3]), (2, SHARES[-1:])])
def test_learn_metric__counts_appearance_only_where_it_tells_the_diagnosis(
    telling: int, shares: tuple[float, ...]
) -> None:
    sides = [_cases(count, seed, prefix) for count, seed, prefix in ((150, 0, "q"), (300, 1, "g"))]
    for side in sides:
        side.latents[:, [0, telling]] = side.latents[:, [telling, 0]]
    assert learn_metric(lambda _: Sides(*sides, np.ones(3)), guided=1).share in shares


@pytest.mark.parametrize(("telling", "power"), [(0, max(POWERS)), (1, min(POWERS))])
def test_learn_metric__follows_the_spread_only_where_the_wide_dimensions_tell_the_diagnosis(
    telling: int, power: float
) -> None:
    sides = [_cases(count, seed, prefix) for count, seed, prefix in ((150, 0, "q"), (300, 1, "g"))]
    for side in sides:
        side.latents[:, [0, telling]] = side.latents[:, [telling, 0]]
    spread = np.array([3.0, 1.0, 1.0])
    assert learn_metric(lambda power: Sides(*sides, spread**power), guided=2).power == power


def test_learn_metric__refuses_lesions_on_both_sides() -> None:
    cases = _cases(20, 0, "x")
    with pytest.raises(ValueError, match="20 lesions"):
        learn_metric(lambda _: Sides(cases, cases, np.ones(3)), guided=1)


def test_calibrate__falls_with_distance_and_starts_at_zero() -> None:
    points = calibrate(_cases(150, 0, "q"), _cases(300, 1, "g"), np.ones(3))
    assert points[0].distance == 0
    assert all(a.distance < b.distance and a.share >= b.share for a, b in itertools.pairwise(points))
    assert points[0].share > 0.8


def test_calibrate__means_what_it_says_on_other_queries() -> None:
    gallery, weights = _cases(2000, 1, "g"), np.array([1.0, 0.1, 0.1])
    points = calibrate(_cases(800, 0, "q"), gallery, weights)
    fresh = _cases(1600, 9, "f")
    distances, rows = nearest_lesions(fresh, gallery, weights, NEIGHBOURS)
    said = np.interp(distances, [p.distance for p in points], [p.share for p in points]).ravel()
    so = (gallery.labels[rows] == fresh.labels[:, None]).ravel()
    for fifth in np.array_split(np.argsort(distances, axis=None), 5):
        assert said[fifth].mean() == pytest.approx(so[fifth].mean(), abs=0.04)


def test_calibrate__of_near_matches_is_not_led_astray_by_the_few_that_are_nearer_still_and_disagree() -> None:
    random = np.random.default_rng(0)
    centres = np.arange(400.0) * 1000
    away = np.exp(random.uniform(-1, 1, (400, NEIGHBOURS)))
    away[:30, 0] = random.uniform(0.02, 0.2, 30)
    agrees = random.random(away.shape) < np.where(away < 0.3, 0.5, 1 - away / 4)
    queries = Labelled(centres[:, None], np.zeros(400, int), [f"q{i}" for i in range(400)])
    gallery = Labelled(
        (centres[:, None] + away).reshape(-1, 1), 1 - agrees.ravel().astype(int), [f"g{i}" for i in range(agrees.size)]
    )
    points = calibrate(queries, gallery, np.ones(1))
    said = np.interp(away, [p.distance for p in points], [p.share for p in points])
    for tenth in np.array_split(np.argsort(away, axis=None), 10):
        assert said.ravel()[tenth].mean() == pytest.approx(agrees.ravel()[tenth].mean(), abs=0.04)


def siblings_around(queries: int) -> tuple[Labelled, Labelled]:
    """Queries far apart; each has a lesion of 16 near images that agrees, and 15 farther lesions that do not."""
    centres = np.arange(float(queries)) * 1000
    near, far = np.linspace(0.1, 0.2, NEIGHBOURS), np.linspace(1, 2, NEIGHBOURS - 1)
    gallery = (centres[:, None] + np.concatenate([near, far])).reshape(-1, 1)
    labels = np.tile([0] * NEIGHBOURS + [1] * (NEIGHBOURS - 1), queries)
    lesions = [f"{q} {max(0, n - NEIGHBOURS + 1)}" for q in range(queries) for n in range(2 * NEIGHBOURS - 1)]
    queried = Labelled(centres[:, None], np.zeros(queries, int), [f"q{q}" for q in range(queries)])
    return queried, Labelled(gallery, labels, lesions)


def test_calibrate__counts_the_nearest_lesions_not_the_images_of_one() -> None:
    points = calibrate(*siblings_around(60), np.ones(1))
    share = np.interp([0.1, 1.5], [p.distance for p in points], [p.share for p in points])
    assert share[0] > 0.4
    assert share[1] < 0.1


def test_calibrate__of_matches_that_all_agree_is_sure_at_any_distance() -> None:
    queries, gallery = _cases(30, 0, "q"), _cases(60, 1, "g")
    same = [Labelled(side.latents, np.zeros_like(side.labels), side.lesions) for side in (queries, gallery)]
    assert {point.share for point in calibrate(*same, np.ones(3))} == {1.0}


def test_temperature__undoes_logits_that_were_scaled() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 3)) * 2
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([random.choice(3, p=row) for row in chances])
    assert temperature(logits * 3, labels) == pytest.approx(3, rel=0.1)


def test_calibrate_by_diagnosis__falls_from_near_to_below_the_share_of_the_queries() -> None:
    random = np.random.default_rng(0)

    def cases(count: int, prefix: str) -> Labelled:
        labels = random.choice(2, count, p=[0.8, 0.2])
        latents = random.normal(size=(count, 3)) + 2 * labels[:, None] * np.array([1, 0, 0])
        return Labelled(latents, labels, [f"{prefix}{number}" for number in range(count)])

    queries, gallery = cases(800, "q"), cases(2000, "g")
    curves = calibrate_by_diagnosis(queries, gallery, np.ones(3), ["common", "rare", "absent"])
    assert sorted(curves) == ["common", "rare"]
    for points in curves.values():
        assert points[0].distance == 0
        assert all(a.distance < b.distance and a.share >= b.share for a, b in itertools.pairwise(points))
    near, far = ({code: points[end].share for code, points in curves.items()} for end in (0, -1))
    assert near["common"] > 0.9
    assert near["rare"] > 0.4
    assert far["rare"] < 0.25
    assert far["common"] < 0.8


def test_calibrate_by_diagnosis__means_what_it_says_where_only_one_diagnosis_is_shown() -> None:
    gallery, queries, others = _cases(2000, 1, "g"), _cases(800, 0, "q"), _cases(1500, 2, "t")
    curves = calibrate_by_diagnosis(queries, gallery, np.ones(3), ["a", "b"])
    for label, code in enumerate(["a", "b"]):
        own = gallery.labels == label
        lesions = [lesion for lesion, kept in zip(gallery.lesions, own, strict=True) if kept]
        shown = Labelled(gallery.latents[own], gallery.labels[own], lesions)
        distances, _ = nearest_lesions(others, shown, np.ones(3), 8)
        at, shares = zip(*((point.distance, point.share) for point in curves[code]), strict=True)
        assert np.interp(distances, at, shares).mean() == pytest.approx((others.labels == label).mean(), abs=0.07)
