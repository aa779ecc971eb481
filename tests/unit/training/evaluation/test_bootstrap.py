import numpy as np
import pytest

from tests.vocabularies import ham10000_vocabulary
from training.evaluation.bootstrap import diagnosis_intervals, mean_interval, retrieval_intervals, samples
from training.evaluation.retrieval import Labelled, retrieve


def test_mean_interval__of_a_proportion_is_near_the_binomial_one() -> None:
    hits = (np.arange(900) < 270).astype(float)
    found = mean_interval(hits, [f"lesion {i}" for i in range(900)])
    half = 1.96 * np.sqrt(0.3 * 0.7 / 900)
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - half, abs=0.004)
    assert found.high == pytest.approx(0.3 + half, abs=0.004)


def test_mean_interval__counts_lesions_not_images() -> None:
    hits = (np.arange(225) < 68).astype(float)
    alone = mean_interval(hits, [f"{i}" for i in range(225)])
    four_times = mean_interval(np.tile(hits, 4), [f"{i}" for i in range(225)] * 4)
    assert four_times.high - four_times.low == pytest.approx(alone.high - alone.low, rel=0.01)


def test_samples__draw_whole_lesions_and_as_many_as_there_are() -> None:
    counts = samples(["a", "b", "b", "c"], 200)
    assert (counts[:, 1] == counts[:, 2]).all()
    assert (counts[:, [0, 1, 3]].sum(1) == 3).all()
    assert counts[:, 0].mean() == pytest.approx(1, abs=0.2)


def test_retrieval_intervals__hold_the_figure_and_narrow_with_more_lesions() -> None:
    random = np.random.default_rng(0)

    def drawn(count: int, prefix: str) -> Labelled:
        labels = random.integers(0, 3, count)
        return Labelled(
            random.normal(size=(count, 2)) + labels[:, None], labels, [f"{prefix}{i}" for i in range(count)]
        )

    gallery = drawn(300, "g")
    few, many = (
        retrieve(drawn(size, "q"), gallery, np.ones(2), ham10000_vocabulary("bcc", "mel", "nv")) for size in (60, 960)
    )
    wide, narrow = retrieval_intervals(few), retrieval_intervals(many)
    for name, figure in narrow.items():
        assert figure.low <= figure.value <= figure.high
        assert 0.15 < (figure.high - figure.low) / (wide[name].high - wide[name].low) < 0.4, name
    per_class = diagnosis_intervals(many)
    assert np.mean([row["p_at_1"].value for row in per_class.values()]) == pytest.approx(narrow["p_at_1_macro"].value)
