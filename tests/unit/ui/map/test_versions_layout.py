"""The kept maps to choose from, and what is said of how good one is."""

from typing import Any

import pytest

from casekin.contracts.bundle import EXAMPLE, BundleManifest
from casekin.contracts.maps import Agreement, MapVersion, MapVersions
from services.ui.map.versions_layout import held_out_of, kept_maps, map_choices, map_quality
from services.ui.presentation import texts
from tests.unit.ui.conftest import every, sent, text_of
from tests.unit.ui.page.test_layout import VOCABULARY


def version(**changed: Any) -> MapVersion:
    example = MapVersion.model_config["json_schema_extra"]
    assert isinstance(example, dict)
    return MapVersion.model_validate(example["example"]).model_copy(update=changed)


def _with(agreement: list[Agreement]) -> MapVersion:
    return version(quality=version().quality.model_copy(update={"agreement": agreement}))


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
    drawn = sent(map_quality(version(fitted=fitted, quality=quality), VOCABULARY, {}))
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
    drawn = sent(map_quality(_with(agreement), VOCABULARY, {}))
    rows = [text_of({"props": row}) for row in every(drawn, "Tr")]
    assert rows == [
        "Nearest cases of the same diagnosis on the map in latents",
        "Melanoma 40 % 50 %",
        "Nevus 88 % 90 %",
    ]


def test_quality__stands_beside_what_is_so_for_images_that_the_encoder_never_saw() -> None:
    agreement = [
        Agreement(diagnosis="vasc", cases=9, on_map=0.97, in_latent=1.0),
        Agreement(diagnosis="mel", cases=3, on_map=0.9, in_latent=0.95),
    ]
    drawn = sent(map_quality(_with(agreement), VOCABULARY, {"mel": 0.47, "nv": 0.85}))
    rows = [text_of({"props": row}) for row in every(drawn, "Tr")]
    assert rows[0].endswith("on the map in latents new images")
    assert rows[1] == "Melanoma 90 % 95 % 47 %"
    assert rows[2].endswith("97 % 100 % -"), "not measured of that diagnosis"
    assert texts.AGREEMENT_ON_MAP in text_of(drawn)
    assert texts.HELD_OUT_AGREEMENT in text_of(drawn)


def test_quality__says_so_where_the_model_has_no_figure_for_new_images() -> None:
    drawn = text_of(
        sent(map_quality(_with([Agreement(diagnosis="nv", cases=9, on_map=1, in_latent=1)]), VOCABULARY, {}))
    )
    assert f"{texts.AGREEMENT_ON_MAP} {texts.NO_HELD_OUT_AGREEMENT}" in drawn
    assert texts.AGREEMENT_ON_MAP not in text_of(sent(map_quality(_with([]), VOCABULARY, {}))), "no figure to explain"


def test_held_out__is_of_the_weights_and_the_bundle_of_the_map() -> None:
    manifest = BundleManifest.model_validate(EXAMPLE | {"version": version().bundle_version})
    shares = manifest.held_out_agreement["clinical"]
    assert held_out_of(manifest, version()) == shares != {}
    visual = version().recipe.model_copy(update={"preset": "visual"})
    assert held_out_of(manifest, version(recipe=visual)) == {}
    assert held_out_of(manifest, version(bundle_version="another-1")) == {}


def test_kept_maps__each_has_its_quality_beside_it() -> None:
    agreement = [
        Agreement(diagnosis=code, cases=9, on_map=share, in_latent=1) for code, share in (("nv", 0.9), ("mel", 0.5))
    ]
    quality = version().quality.model_copy(update={"trustworthiness": 0.97, "continuity": 0.95, "agreement": agreement})
    unknown = quality.model_copy(update={"agreement": []})
    kept = MapVersions(current=None, maps=[version(quality=quality), version(id="2" * 32, quality=unknown)])
    rows = [text_of({"props": row}) for row in every(sent(kept_maps(kept)), "Tr")[1:]]
    assert texts.AGREEMENT_ON_MAP in text_of(sent(kept_maps(kept)))
    assert rows == [
        "2026-11-22 12:00 · clinical · 8,470 cases 97 % 95 % 70 %",
        "2026-11-22 12:00 · clinical · 8,470 cases 97 % 95 % unknown",
    ]
    assert kept_maps(MapVersions(current=None, maps=[version()])) is None
