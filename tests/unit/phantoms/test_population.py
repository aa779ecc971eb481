"""Made-up lesions keep HAM10000's proportions and their own factors."""

from collections import Counter, defaultdict
from dataclasses import fields
from itertools import islice

import numpy as np
import pytest

from casekin.collections import built_in_spec
from casekin.phantoms import SCALES, Factors, Phantom, make_up, within_range
from casekin.phantoms.population import population


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return list(make_up(6000, 7))


def test_make_up__proportions_are_those_of_ham10000(phantoms: list[Phantom]) -> None:
    counts = Counter(phantom.diagnosis for phantom in phantoms)
    for kind in population().classes:
        spread = 4 * np.sqrt(kind.share * 6000 * 2)
        assert counts[kind.code] == pytest.approx(kind.share * 6000, abs=spread), kind.code
    assert sum(phantom.site == "unknown" for phantom in phantoms) == pytest.approx(0.024 * 6000, abs=70)
    assert any(phantom.age == "" for phantom in phantoms)
    assert any(phantom.sex == "unknown" for phantom in phantoms)
    melanoma = np.mean([float(p.age) for p in phantoms if p.diagnosis == "mel" and p.age])
    nevus = np.mean([float(p.age) for p in phantoms if p.diagnosis == "nv" and p.age])
    assert melanoma - nevus > 10


def test_make_up__codes_are_those_that_ham10000_names(phantoms: list[Phantom]) -> None:
    spec = built_in_spec("ham10000")
    assert {phantom.diagnosis for phantom in phantoms} == {diagnosis.code for diagnosis in spec.diagnoses}
    assert {phantom.evidence for phantom in phantoms} == set(spec.labels["evidence"])
    assert {phantom.site for phantom in phantoms} - {"unknown"} <= set(spec.labels["site"])


def test_make_up__deterministic_and_a_larger_count_begins_alike(phantoms: list[Phantom]) -> None:
    assert list(make_up(50, 7)) == list(islice(phantoms, 50))
    assert list(make_up(50, 8)) != list(islice(phantoms, 50))
    assert len({phantom.image_id for phantom in phantoms}) == 6000


def test_make_up__pictures_of_a_lesion_share_it_and_differ_in_view(phantoms: list[Phantom]) -> None:
    by_lesion = defaultdict(list)
    for phantom in phantoms:
        by_lesion[phantom.lesion_id].append(phantom)
    several = [group for group in by_lesion.values() if len(group) > 1]
    assert 0.2 < sum(map(len, several)) / 6000 < 0.6
    for group in several:
        of_lesion = {
            tuple(getattr(p.factors, n) for n, scale in SCALES.items() if scale.part == "lesion") for p in group
        }
        assert len(of_lesion) == 1
        assert len({(p.diagnosis, p.age, p.sex, p.site, p.lesion_seed) for p in group}) == 1
        assert len({p.factors.rotation for p in group}) == len(group)


def test_factors__all_in_range_and_all_vary(phantoms: list[Phantom]) -> None:
    for name, scale in SCALES.items():
        values = np.array([getattr(phantom.factors, name) for phantom in phantoms], dtype=float)
        assert scale.low <= values.min() <= values.max() <= scale.high, name
        assert values.std() > 0, name


def test_factors__each_has_a_unit_and_a_default_spread() -> None:
    assert set(SCALES) == {entry.name for entry in fields(Factors)} == set(population().defaults.factors)
    for spreads in [c.factors for c in population().classes] + list(population().sites.values()):
        assert set(spreads) <= set(SCALES)


def test_within_range__cuts_rounds_and_turns() -> None:
    values = dict.fromkeys(SCALES, 1e6)
    top = within_range(values)
    assert all(getattr(top, name) == scale.high for name, scale in SCALES.items() if scale.unit != "degree")
    assert within_range(values | {"rotation": -90}).rotation == 270
    assert within_range(values | {"hair": 3.6}).hair == 4
