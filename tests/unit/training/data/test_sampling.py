from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from training.data.sampling import BalancedSampler, balanced_shares


def _sampler(labels: Sequence[int], balance: float, seed: int, rank: int = 0, ranks: int = 1) -> BalancedSampler:
    return BalancedSampler(labels, balanced_shares(labels, balance), seed, rank=rank, ranks=ranks)


def test_balanced_shares__follow_the_power_and_the_factors_of_groups() -> None:
    groups = [0] * 90 + [2] * 10
    assert balanced_shares(groups, 0.0) == pytest.approx([0.9, 0, 0.1])
    assert balanced_shares(groups, 0.5) == pytest.approx([0.75, 0, 0.25])
    assert balanced_shares(groups, 1.0) == pytest.approx([0.5, 0, 0.5])
    assert balanced_shares(groups, 1.0, [1, 1, 0.5]) == pytest.approx([2 / 3, 0, 1 / 3])


def test_balanced_sampler__takes_a_number_of_draws_other_than_that_of_images() -> None:
    groups = [0] * 80 + [1] * 20
    drawn = list(BalancedSampler(groups, balanced_shares(groups, 0), seed=1, draws=40))
    assert len(drawn) == len(set(drawn)) == 40
    assert sum(index >= 80 for index in drawn) == 8


def test_balanced_sampler__draws_by_the_power_of_the_share_and_repeats_an_epoch() -> None:
    labels = [0] * 9000 + [1] * 1000
    sampler = _sampler(labels, 0.5, seed=3)
    drawn = np.array(labels)[list(sampler)]
    assert drawn.mean() == pytest.approx(1 / (1 + 3), abs=0.02)  # sqrt(1) against sqrt(9)
    assert list(sampler) == list(sampler)
    before = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != before


def test_balanced_sampler__takes_every_image_of_a_class_before_any_twice() -> None:
    sampler = _sampler([0] * 50 + [1] * 50, 1.0, seed=0)
    drawn = [index for index in sampler if index < 50][:50]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_balanced_sampler__as_it_is_draws_every_image_once_whoever_draws_it(ranks: int) -> None:
    labels = [0] * 41 + [1] * 13 + [2] * 6
    drawn = [list(_sampler(labels, 0, seed=5, rank=rank, ranks=ranks)) for rank in range(ranks)]
    assert {len(part) for part in drawn} == {60 // ranks}
    assert sorted(index for part in drawn for index in part) == list(range(60))


@pytest.mark.parametrize("epoch", [0, 1])
def test_balanced_sampler__ranks_share_out_what_one_process_would_draw(epoch: int) -> None:
    labels = [0] * 90 + [1] * 10
    ranks = [_sampler(labels, 0.5, seed=5, rank=rank, ranks=4) for rank in range(4)]
    alone = _sampler(labels, 0.5, seed=5)
    for sampler in (*ranks, alone):
        sampler.set_epoch(epoch)
    together = [index for step in zip(*ranks, strict=True) for index in step]
    assert together == list(alone)


def test_balanced_sampler__gives_each_rank_as_much_where_they_do_not_divide_the_images() -> None:
    drawn = [list(_sampler([0] * 10, 0, seed=1, rank=rank, ranks=4)) for rank in range(4)]
    assert [len(part) for part in drawn] == [3, 3, 3, 3]
    times = Counter(index for part in drawn for index in part)
    assert len(times) == 10
    assert max(times.values()) == 2


def test_balanced_sampler__never_misses_a_rare_class() -> None:
    sampler = _sampler([0] * 997 + [1] * 3, 0.3, seed=0)
    expected = sampler.shares[1] * 1000
    for epoch in range(5):
        sampler.set_epoch(epoch)
        assert abs(sum(index >= 997 for index in sampler) - expected) < 1
