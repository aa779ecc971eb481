"""The kept maps to choose from, and what is said of how good one is."""

from typing import Any

import pytest

from casekin.contracts.maps import Agreement, MapVersion, MapVersions
from services.ui.map.versions_layout import kept_maps, map_choices, map_quality
from tests.unit.ui.conftest import every, sent, text_of
from tests.unit.ui.page.test_layout import VOCABULARY


def version(**changed: Any) -> MapVersion:
    example = MapVersion.model_config["json_schema_extra"]
    assert isinstance(example, dict)
    return MapVersion.model_validate(example["example"]).model_copy(update=changed)


def test_choices__say_when_how_and_of_how_many() -> None:
    drawn_by = version().recipe.model_copy(update={"supervised": True})
    kept = MapVersions(current=None, maps=[version(), version(id="2" * 32, cases=1, fitted=1, recipe=drawn_by)])
    assert [choice["label"] for choice in map_choices(kept)] == [
        "2026-11-22 12:00 · clinical · 8,470 cases",
        "2026-11-22 12:00 · clinical · with diagnoses · 1 case",
    ]


@pytest.mark.parametrize(
    ("fitted", "moved", "told"),
    [
        (8470, None, []),
        (8470, 0.02, ["Moved since the map before"]),
        (8000, None, ["Laid out"]),
    ],
)
def test_quality__tells_what_there_is_to_tell(fitted: int, moved: float | None, told: list[str]) -> None:
    quality = version().quality.model_copy(update={"moved": moved})
    drawn = sent(map_quality(version(fitted=fitted, quality=quality), VOCABULARY))
    names = [text_of({"props": one}) for one in every(drawn, "Dt")]
    assert names == [
        "Neighbours on the map that are truly similar",
        "Similar cases that are neighbours on the map",
        *told,
    ]
    assert ("8,000 cases; the other 470 placed" in text_of(drawn)) is (fitted < 8470)


def test_quality__compares_each_diagnosis_with_the_latents_behind_the_map() -> None:
    agreement = [
        Agreement(diagnosis="nv", cases=9, on_map=0.88, in_latent=0.9),
        Agreement(diagnosis="mel", cases=3, on_map=0.4, in_latent=0.5),
    ]
    quality = version().quality.model_copy(update={"agreement": agreement})
    rows = every(sent(map_quality(version(quality=quality), VOCABULARY)), "Tr")[1:]
    assert [text_of({"props": row}) for row in rows] == ["Melanoma 40 % 50 %", "Nevus 88 % 90 %"]


def test_kept_maps__each_has_its_quality_beside_it() -> None:
    agreement = [
        Agreement(diagnosis=code, cases=9, on_map=share, in_latent=1) for code, share in (("nv", 0.9), ("mel", 0.5))
    ]
    quality = version().quality.model_copy(update={"trustworthiness": 0.97, "continuity": 0.95, "agreement": agreement})
    unknown = quality.model_copy(update={"agreement": []})
    kept = MapVersions(current=None, maps=[version(quality=quality), version(id="2" * 32, quality=unknown)])
    rows = [text_of({"props": row}) for row in every(sent(kept_maps(kept)), "Tr")[1:]]
    assert rows == [
        "2026-11-22 12:00 · clinical · 8,470 cases 97 % 95 % 70 %",
        "2026-11-22 12:00 · clinical · 8,470 cases 97 % 95 % unknown",
    ]
    assert kept_maps(MapVersions(current=None, maps=[version()])) is None
