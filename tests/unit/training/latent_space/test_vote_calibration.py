"""The calibration keeps its promises on queries that it has not seen, and search computes the same votes."""

import numpy as np
import pytest

from casekin.contracts.bundle import OutOfDistributionScale, Tail, VoteScale
from casekin.contracts.cases import Case
from services.search.retrieval import neighbour_votes as serving
from services.search.retrieval.results import Neighbour
from training.evaluation.neighbour_votes import Votes, cast_votes, probabilities
from training.evaluation.retrieval import Labelled, nearest_lesions
from training.latent_space.clinical_metric import calibrate
from training.latent_space.tails import lower_tail, upper_tail
from training.latent_space.vote_calibration import (
    calibrate_neighbours,
    conformal_threshold,
    fit_scale,
    latent_measures,
    out_of_distribution_score,
)

CLASSES = ["a", "b", "c"]
SHARES = [0.7, 0.2, 0.1]
ONES = np.ones(4)


def cases(count: int, seed: int, prefix: str) -> Labelled:
    """Three overlapping clusters, unlike in size; every third case shares the lesion of the one before."""
    random = np.random.default_rng(seed)
    labels = np.sort(random.choice(3, count, p=SHARES))
    latents = random.normal(size=(count, 4))
    latents[:, 0] += 1.5 * (labels == 1)
    latents[:, 1] += 2.0 * (labels == 2)
    return Labelled(latents, labels, [f"{prefix}{i * 2 // 3}" for i in range(count)])


GALLERY, VALIDATION, TEST = cases(3000, 0, "g"), cases(1800, 1, "v"), cases(4000, 2, "t")
CURVE = calibrate(VALIDATION, GALLERY, ONES)
CURVES = {"visual": CURVE, "clinical": CURVE}


@pytest.fixture(scope="module")
def calibration():  # type: ignore[no-untyped-def]
    random = np.random.default_rng(5)
    measures = {name: random.exponential(size=1800) for name in ("reconstruction_error", "sharpness", "brightness")}
    presets, curves = {"visual": ONES, "clinical": ONES / 2}, {"visual": CURVE, "clinical": CURVE}
    return calibrate_neighbours(VALIDATION, GALLERY, presets, curves, CLASSES, measures)


def votes_of(queries: Labelled) -> tuple[Votes, Votes]:
    distances, rows = nearest_lesions(queries, GALLERY, ONES, 16)
    votes = cast_votes(distances, GALLERY.labels[rows], CURVE, np.ones_like(distances), 3)
    return votes, votes.corrected(np.bincount(GALLERY.labels) / len(GALLERY.labels))


def expected_error(told: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Of the most probable diagnosis, in ten bins of equal width (Guo 2017, equation 3)."""
    top, hit = told.max(1), told.argmax(1) == labels
    bins = np.minimum((top * 10).astype(int), 9)
    parts = [
        weights[bins == b].sum() * abs(np.average(hit[bins == b] - top[bins == b], weights=weights[bins == b]))
        for b in np.unique(bins)
    ]
    return float(np.sum(parts) / weights.sum())


def test_set__covers_what_it_says_within_each_diagnosis_and_over_all(calibration) -> None:  # type: ignore[no-untyped-def]
    _, corrected = votes_of(TEST)
    told = probabilities(corrected, calibration.presets["visual"].corrected)
    least = np.array([calibration.presets["visual"].conformal[c] for c in CLASSES])
    covered = told[np.arange(len(told)), TEST.labels] >= least[TEST.labels]
    assert covered.mean() == pytest.approx(0.9, abs=0.02)
    assert [covered[TEST.labels == c].mean() for c in range(3)] == pytest.approx([0.9] * 3, abs=0.05)
    assert (told >= least).sum(1).mean() < 2.5, "a set of everything covers too"


def test_set__is_wider_for_images_unlike_the_gallery(calibration) -> None:  # type: ignore[no-untyped-def]
    preset = calibration.presets["visual"]
    least = np.array([preset.conformal[c] for c in CLASSES])
    odd = Labelled(TEST.latents[:500] * 2.5, TEST.labels[:500], TEST.lesions[:500])
    distances, rows = nearest_lesions(odd, GALLERY, ONES, 16)
    prior = np.bincount(GALLERY.labels) / len(GALLERY.labels)
    votes = cast_votes(distances, GALLERY.labels[rows], CURVE, np.ones_like(distances), 3).corrected(prior)
    told = probabilities(votes, preset.corrected)
    scores = out_of_distribution_score(latent_measures(odd.latents, distances), preset.strangeness)
    sizes = [(told * (1 + widening * scores[:, None]) >= least).sum(1) for widening in (0, preset.widening)]
    assert (sizes[1] >= sizes[0]).all()
    assert sizes[1][scores > 5].mean() > sizes[0][scores > 5].mean() + 0.5


def test_probabilities__are_calibrated_plain_and_corrected(calibration) -> None:  # type: ignore[no-untyped-def]
    votes, corrected = votes_of(TEST)
    preset = calibration.presets["visual"]
    alike = np.ones(len(TEST.labels))
    assert expected_error(probabilities(votes, preset.plain), TEST.labels, alike) < 0.03
    balanced = 1 / np.bincount(TEST.labels)[TEST.labels]
    assert expected_error(probabilities(corrected, preset.corrected), TEST.labels, balanced) < 0.05


def test_strangeness__one_usual_image_in_a_hundred_is_flagged_and_a_far_one_always(calibration) -> None:  # type: ignore[no-untyped-def]
    scale = calibration.presets["visual"].strangeness
    distances, _ = nearest_lesions(TEST, GALLERY, ONES, 16)
    usual = out_of_distribution_score(latent_measures(TEST.latents, distances), scale)
    assert (usual > scale.latent_limit).mean() == pytest.approx(0.01, abs=0.007)
    far = Labelled(TEST.latents[:50] + 8, TEST.labels[:50], TEST.lesions[:50])
    distances, _ = nearest_lesions(far, GALLERY, ONES, 16)
    assert (out_of_distribution_score(latent_measures(far.latents, distances), scale) > scale.latent_limit).all()
    assert scale.image_limit > scale.latent_limit


def test_nearest_lesions__are_those_of_brute_force() -> None:
    queries = cases(20, 3, "q")
    weights = np.array([0.5, 2.0, 1.0, 0.1])
    distances, rows = nearest_lesions(queries, GALLERY, weights, 5)
    for q, near, found in zip(queries.latents, distances, rows, strict=True):
        squared = ((GALLERY.latents - q) ** 2) @ weights
        met: dict[str, int] = {}
        for row in np.argsort(squared):
            met.setdefault(GALLERY.lesions[row], int(row))
            if len(met) == 5:
                break
        assert list(met.values()) == found.tolist()
        np.testing.assert_allclose(near, np.sqrt(squared[found]))


def test_votes__are_those_that_search_counts() -> None:
    random = np.random.default_rng(6)
    distances, labels = random.uniform(0, 4, (1, 16)), random.integers(0, 3, (1, 16))
    ours = cast_votes(distances, labels, CURVE, np.ones((1, 16)), 3)
    likeness = np.interp(distances[0], [p.distance for p in CURVE], [p.share for p in CURVE])
    near = [
        Neighbour(Case(id="x", diagnosis=CLASSES[label]), 1, share)
        for label, share in zip(labels[0], likeness, strict=True)
    ]
    counts = {c: int(n) for c, n in zip(CLASSES, np.bincount(GALLERY.labels), strict=True)}
    theirs = serving.cast_votes(near, counts, {})
    np.testing.assert_allclose(theirs.shares, ours.shares[0])
    np.testing.assert_allclose(theirs.agreement, ours.agreement[0, 0])
    prior = np.bincount(GALLERY.labels) / len(GALLERY.labels)
    np.testing.assert_allclose(theirs.adjusted, ours.corrected(prior).shares[0])
    scale = VoteScale(smoothing=0.07, decay=2, temperature=0.6)
    told = serving.probabilities(theirs.shares, theirs.agreement, scale)
    np.testing.assert_allclose(told, probabilities(ours, scale)[0])


def test_probabilities__hold_less_back_for_diagnoses_without_a_vote_the_more_the_neighbours_agree() -> None:
    scale, alike = VoteScale(smoothing=0.3, decay=4, temperature=1), np.ones((1, 4))
    votes = [cast_votes(alike, np.array([labels]), CURVE, alike, 3) for labels in ([0, 0, 0, 0], [0, 0, 1, 0])]
    agreed, split = (probabilities(one, scale)[0] for one in votes)
    assert agreed[0] > 0.98
    assert 0.01 > agreed[2] < split[2] / 2


def test_fit_scale__finds_that_agreement_counts_for_more_than_it_says() -> None:
    random = np.random.default_rng(8)
    alike = np.ones((4000, 4))
    votes = cast_votes(alike, random.choice(3, (4000, 4), p=[0.6, 0.2, 0.2]), CURVE, alike, 3)
    truly = VoteScale(smoothing=0.5, decay=4, temperature=1.3)
    labels = np.array([random.choice(3, p=chances) for chances in probabilities(votes, truly)])
    found = fit_scale(votes, labels, np.ones(4000))
    np.testing.assert_allclose(probabilities(votes, found), probabilities(votes, truly), atol=0.04)


def test_threshold__is_the_rank_that_split_conformal_prediction_asks_for() -> None:
    scores = np.arange(1, 20) / 20  # nineteen: (19 + 1) * 0.1 = 2, so the second smallest
    assert conformal_threshold(scores, 0.9, least=0) == 0.1
    assert conformal_threshold(scores[:8], 0.9, least=0) == 0.0, "nine in ten cannot be promised from eight"


@pytest.mark.parametrize("count", [25, 90, 170, 1200])
def test_threshold__holds_the_least_coverage_in_nearly_every_sample(count: int) -> None:
    # Uniform scores: a threshold t covers 1 - t of new ones.
    random = np.random.default_rng(count)
    covered = [1 - conformal_threshold(random.random(count), 0.9, least=0.87) for _ in range(2000)]
    assert np.mean(np.array(covered) >= 0.87) > 0.93
    assert np.mean(covered) >= 0.9
    plain = [1 - conformal_threshold(random.random(25), 0.9, least=0) for _ in range(2000)]
    assert np.mean(np.array(plain) >= 0.87) < 0.9, "of 25 scores, the average is not enough"


def test_tails__of_an_exponential_have_its_mean() -> None:
    values = np.random.default_rng(7).exponential(2.0, 200_000)
    tail = upper_tail(values)
    assert tail.beyond == pytest.approx(2 * np.log(20), rel=0.02)
    assert tail.excess == pytest.approx(2.0, rel=0.03)
    mirrored = lower_tail(-values)
    assert (mirrored.beyond, mirrored.excess) == (-tail.beyond, tail.excess)


def test_strangeness__adds_excesses_of_both_sides() -> None:
    scale = OutOfDistributionScale(
        upper={"x": Tail(beyond=1, excess=0.5)},
        lower={"x": Tail(beyond=0, excess=0.25), "absent": Tail(beyond=0, excess=1)},
        latent_limit=1,
        image_limit=1,
    )
    assert out_of_distribution_score({"x": np.array([0.5, 2.0, -1.0])}, scale).tolist() == [0, 2, 4]


def test_calibrate__refuses_lesions_on_both_sides_and_too_small_a_gallery() -> None:
    with pytest.raises(ValueError, match="lesions are in the queries and in the gallery"):
        calibrate_neighbours(VALIDATION, VALIDATION, {"visual": ONES}, {"visual": CURVE}, CLASSES, {})
    few = Labelled(GALLERY.latents[:9], GALLERY.labels[:9], GALLERY.lesions[:9])
    with pytest.raises(ValueError, match="the gallery has 6 lesions; 16 neighbours need as many"):
        nearest_lesions(VALIDATION, few, ONES, 16)


def test_calibrate_neighbours__counts_the_nearest_lesions_not_the_images_of_one() -> None:
    # Each query's nearest lesion has twenty images at a distance of 1; all other lesions are at 3.
    centres = np.arange(80.0) * 1000
    offsets = np.array([1.0] * 20 + [3.0] * 20)
    lesions = [f"{q} {max(0, n - 19)}" for q in range(80) for n in range(40)]
    gallery = Labelled((centres[:, None] + offsets).reshape(-1, 1), np.tile([0, 1], 80 * 20), lesions)
    queries = Labelled(centres[:, None], np.arange(80) % 2, [f"q{q}" for q in range(80)])
    one = np.ones(1)
    found = calibrate_neighbours(queries, gallery, {"visual": one, "clinical": one}, CURVES, ["a", "b"], {})
    tail = found.presets["visual"].strangeness.upper["neighbour_distance"]
    assert tail.beyond == pytest.approx((1 + 15 * 3) / 16)
