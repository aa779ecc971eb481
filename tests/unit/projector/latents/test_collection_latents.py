"""The collection's sample; reading it is tested where a search service runs."""

from services.projector.latents.collection_latents import stable_sample

CASES = [f"ISIC_{number:07d}" for number in range(2000)]


def test_sample__is_all_where_there_are_few() -> None:
    assert stable_sample(CASES, 2000).tolist() == list(range(2000))


def test_sample__mostly_stays_when_cases_are_added() -> None:
    before = {CASES[row] for row in stable_sample(CASES[:1800], 500)}
    after = {CASES[row] for row in stable_sample(CASES, 500)}
    assert len(before) == len(after) == 500
    assert len(before & after) > 430  # of 500, about 500 · 1800 / 2000 stay; a drawn sample would keep some 125


def test_sample__does_not_hang_on_the_order_and_spreads() -> None:
    rows = stable_sample(CASES, 400)
    assert {CASES[row] for row in rows} == {CASES[::-1][row] for row in stable_sample(CASES[::-1], 400)}
    assert 150 < (rows < 1000).sum() < 250
