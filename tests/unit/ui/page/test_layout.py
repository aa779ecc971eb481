import json
from typing import Any

import pytest
from plotly.utils import PlotlyJSONEncoder

from casekin.contracts.cases import Case
from casekin.contracts.collection import CollectionInfo, Diagnosis
from casekin.contracts.facets import Facets, FacetValue
from casekin.contracts.neighbours import ConformalSet, DiagnosisShare, NeighbourStatistics, OutOfDistribution
from casekin.contracts.paths import url_segment
from casekin.contracts.rollouts import JointResult, NearestCase, RolloutResult, RolloutRow, Step, TrajectoryResult
from casekin.contracts.search import Example, Hidden, Match, OwnCase, SearchResponse
from casekin.errors import BadInput, Unavailable
from services.ui.case.layout import contributions, path_figure
from services.ui.filters.chips import condition_texts
from services.ui.filters.layout import age_note, column_values, facet_values
from services.ui.map.paths import path_to_case, paths_by_dimension
from services.ui.page.layout import page
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.rollouts.layout import animation_figure, joint_grid, rollout_rows
from services.ui.search.match_cards import card
from services.ui.search.neighbour_statistics import statistics
from services.ui.search.own_lesion import own_cases
from services.ui.search.steering_chips import steering_chips
from services.ui.session.filter_state import FilterState
from services.ui.session.stores import AdditionalImage, MapPath
from services.ui.upload.layout import additional_image_names
from services.ui.weights.layout import weight_rows
from tests.unit.ui.conftest import every, sent, text_of

INFO = CollectionInfo(
    title="Test",
    diagnoses=[
        Diagnosis(code="mel", name="Melanoma", malignant=True, colour="#aa0000"),
        Diagnosis(code="nv", name="Nevus"),
    ],
    labels={"evidence": {"histo": "histopathology"}},
)
VOCABULARY = Vocabulary(INFO)
UNKNOWN = Case(id="C1")


def match(case: Case = UNKNOWN, contributions: tuple[float, ...] = (0.1, 0.7, 0.2)) -> Match:
    return Match(case=case, distance=1.234, similarity=0.78, contributions=list(contributions))


def test_page__always_says_that_it_does_not_diagnose() -> None:
    drawn = json.dumps(page(), cls=PlotlyJSONEncoder)
    assert drawn.count("For research and teaching. Casekin does not diagnose.") == 2  # head and dialog


def test_page__every_image_has_a_text_and_every_button_a_name() -> None:
    drawn = sent(page())
    assert all(image.get("alt") for image in every(drawn, "Img") if image["id"] != "case-image")
    buttons = every(drawn, "Button")
    assert len(buttons) > 5
    nameless = [b["id"] for b in buttons if not text_of({"props": b}).strip() and not b.get("aria-label")]
    assert nameless == []


def test_card__says_what_is_known_and_what_is_not() -> None:
    drawn = sent(card(3, match(), VOCABULARY, ["Size", "Colour", "Border"]))
    words = text_of(drawn)
    assert "distance 1.23" in words
    assert "age unknown · unknown · unknown" in words
    assert drawn["props"]["aria-label"].startswith("Match 3: unknown, similarity 78 %")
    assert drawn["props"]["data-case"] == "C1"


def test_card__names_the_dimensions_that_contributed_most_first() -> None:
    words = text_of(sent(card(1, match(), VOCABULARY, ["Size", "Colour", "Border"])))
    assert words.index("Colour 70 %".replace(" 70 %", "")) < words.index("Border") < words.index("Size")


def test_card__malignant_is_a_word_not_only_a_colour() -> None:
    assert "malignant" in text_of(sent(card(1, match(Case(id="C", diagnosis="mel")), VOCABULARY, [])))
    assert "malignant" not in text_of(sent(card(1, match(Case(id="C", diagnosis="nv")), VOCABULARY, [])))


def test_card__identical_case_has_no_differences() -> None:
    assert "Identical in every dimension" in text_of(sent(card(1, match(contributions=(0.0, 0.0)), VOCABULARY, [])))


def test_card__similarity_says_what_it_means() -> None:
    hint = every(sent(card(1, match(), VOCABULARY, [])), "Tooltip")[0]["label"]
    assert hint.startswith("Of matches like this one, 78 % shared the query's diagnosis. Measured on validation images")


def votes(shares: list[DiagnosisShare], **more: Any) -> NeighbourStatistics:
    bare = {"agreement": 0.75, "conformal": None, "out_of_distribution": None, "uncalibrated": None}
    return NeighbourStatistics(neighbours=4, diagnoses=shares, **{**bare, **more})


def answered(statistics: NeighbourStatistics) -> SearchResponse:
    return SearchResponse(
        matches=[], statistics=statistics, passing=4, revision="r", more=False, own=[], excluded_by=[]
    )


def test_statistics__both_strips_speak() -> None:
    shares = [
        DiagnosisShare(diagnosis="nv", count=3, share=0.75, corrected=0.4),
        DiagnosisShare(diagnosis="mel", count=1, share=0.25, corrected=0.6),
    ]
    response = answered(votes(shares))
    strips = [
        div["aria-label"] for div in every(sent(statistics(response, VOCABULARY)), "Div") if div.get("role") == "img"
    ]
    assert strips == [
        "As in this collection: Nevus 75 %, Melanoma 25 %",
        "If all diagnoses were equally common: Nevus 40 %, Melanoma 60 %",
    ]


REASONS = ["Far from every case", "Very dark"]


def test_statistics__say_what_is_promised_and_what_is_strange() -> None:
    share = DiagnosisShare(diagnosis="nv", count=4, share=1, corrected=1)
    strange = OutOfDistribution(score=9, limit=3, is_out_of_distribution=True, reasons=REASONS)
    conformal = ConformalSet(coverage=0.9, diagnoses=["nv", "mel"])
    read = votes([share], conformal=conformal, out_of_distribution=strange)
    words = text_of(sent(statistics(answered(read), VOCABULARY)))
    assert "Cannot be excluded:  Nevus and Melanoma" in words
    assert "90 %" in words
    assert "unlike those of the collection" in words
    assert "Far from every case" in words
    usual = strange.model_copy(update={"is_out_of_distribution": False})
    assert texts.CASE_MAY_BE_KNOWN not in words
    assert texts.CASE_MAY_BE_KNOWN in text_of(sent(statistics(answered(read), VOCABULARY, of_case=True)))
    assert "unlike" not in text_of(sent(statistics(answered(votes([share], out_of_distribution=usual)), VOCABULARY)))


def test_statistics__say_why_nothing_is_promised() -> None:
    share = DiagnosisShare(diagnosis="nv", count=4, share=1, corrected=1)
    words = text_of(sent(statistics(answered(votes([share], uncalibrated="filters are on")), VOCABULARY)))
    assert "Not calibrated: filters are on." in words
    assert "Cannot be excluded" not in words


def facets(**fields: list[FacetValue]) -> Facets:
    return Facets(fields=fields, age_min=0, age_max=85, age_unknown=50, passing=9)


def test_facets__diagnoses_in_the_order_of_the_collection_and_unknown_last() -> None:
    values = [FacetValue(value="nv", count=5), FacetValue(value=None, count=2), FacetValue(value="mel", count=3)]
    boxes = sent(facet_values("diagnosis", facets(diagnosis=values), VOCABULARY, FilterState()))
    assert [box["props"].get("value") for box in boxes] == ["mel", "nv", None]
    assert text_of(boxes[-1]) == "unknown, kept 2"


def test_facets__rows_keep_their_places_whatever_the_counts() -> None:
    values = [FacetValue(value="male", count=5), FacetValue(value="female", count=2)]
    for counted in (values, values[::-1]):
        boxes = sent(facet_values("sex", facets(sex=counted), VOCABULARY, FilterState()))
        assert [box["props"]["value"] for box in boxes] == ["female", "male"]


def test_facets__a_chosen_value_that_nothing_has_can_still_be_taken_away() -> None:
    boxes = sent(facet_values("sex", facets(sex=[]), VOCABULARY, FilterState(sex=["other"])))
    assert [box["props"]["value"] for box in boxes] == ["other"]


def test_age_note__tells_what_becomes_of_unknown_ages() -> None:
    assert age_note(facets(), FilterState()) == "all ages · 50 unknown"
    assert age_note(facets(), FilterState(age_min=30, age_max=60)) == "30 to 60 years · 50 unknown excluded"
    assert age_note(facets(), FilterState(age_max=60, keep_unknown=True)) == "to 60 years · 50 unknown kept"


SHARES = {"nv": 0.8, "mel": 0.2}
NEAREST = NearestCase(id="C/7", diagnosis="mel", distance=1.234)
STEP = Step(image="data:a", shares=SHARES, nearest=NEAREST, x=1.0, y=2.0)
SCENE = {
    "bundle_version": "b",
    "revision": "r",
    "map_id": "0" * 32,
    "neighbours": 5,
    "cases": 8470,
    "preset": "clinical",
    "width": 4,
    "height": 3,
    "here": STEP,
}


def rollouts(**changed: object) -> RolloutResult:
    row = RolloutRow(
        dimension=1,
        origin=0.4,
        origin_quantile=0.6,
        values=[-1.0, 0.0, 1.0],
        quantiles=[0.01, 0.5, 0.99],
        steps=[STEP, STEP, Step(image="data:c", shares=SHARES, nearest=None, x=3.0, y=4.0)],
    )
    return RolloutResult.model_validate({**SCENE, "rows": [row]} | changed)


def test_rollouts__the_step_nearest_to_the_query_is_marked() -> None:
    drawn = sent(rollout_rows(rollouts(), ["Hair", "Size"], VOCABULARY, "case C1"))
    assert [figure["className"] for figure in every(drawn, "Figure")] == ["step", "step origin", "step"]
    assert every(drawn, "Img")[1]["alt"] == "Size at 50 % of the collection, nearest to case C1"
    assert "case C1: 60 %" in text_of(drawn)


def test_rollouts__say_in_words_which_cases_lie_at_a_step() -> None:
    drawn = sent(rollout_rows(rollouts(), [], VOCABULARY, "your image"))
    bars = [one for one in every(drawn, "Div") if one.get("className") == "share-bar"]
    assert len(bars) == 3
    assert bars[0]["title"] == ", ".join(
        f"{share} % {VOCABULARY.diagnosis(c)}" for c, share in (("nv", 80), ("mel", 20))
    )
    assert sum(float(part["props"]["style"]["width"][:-1]) for part in bars[0]["children"]) == 100
    step = STEP.model_copy(update={"shares": None})
    unknown = rollouts().rows[0].model_copy(update={"steps": [step] * 3})
    bare = sent(rollout_rows(rollouts(rows=[unknown]), [], VOCABULARY, "your image"))
    assert not [one for one in every(bare, "Div") if one.get("className") == "share-bar"]


def test_step__shows_the_nearest_real_case_with_diagnosis_and_distance_and_opens_it() -> None:
    drawn = sent(rollout_rows(rollouts(), ["Hair", "Size"], VOCABULARY, "your image"))
    shown = [one for one in every(drawn, "Button") if one["className"] == "real-case"]
    assert [one["id"] for one in shown] == [
        {"type": "real-case", "id": "C/7", "at": "rollout-1-0"},
        {"type": "real-case", "id": "C/7", "at": "rollout-1-1"},
    ], "steps may share a case, and the third has none"
    assert text_of(shown[0]["children"]).split() == [VOCABULARY.diagnosis("mel"), "distance", "1.23"]
    said = f"case C/7, {VOCABULARY.diagnosis('mel')}, distance 1.23"
    assert shown[0]["aria-label"] == f"Size at 1 % of the collection: nearest real {said}. Open."
    (picture,) = [one for one in every(shown[0]["children"], "Span") if one.get("className") == "real-picture"]
    assert picture["style"] == {"backgroundImage": f'url("/thumbnails/{url_segment("C/7")}")'}
    none = [one["children"] for one in every(drawn, "Div") if one.get("className") == "real-case none"]
    assert none == ["no other case"]


@pytest.mark.parametrize(
    ("scene", "text"),
    [
        ({}, "the nearest of 8,470 cases to each step by the clinical weights"),
        ({"preset": "custom", "cases": 1}, "the nearest of 1 case to each step by your own weights"),
        ({"cases": 0, "revision": None}, "There is no real case to show: the collection is empty"),
    ],
)
def test_real_cases__say_by_which_weights_they_are_near_or_why_there_is_none(
    scene: dict[str, object], text: str
) -> None:
    assert text in text_of(sent(rollout_rows(rollouts(**scene), [], VOCABULARY, "your image")))


def test_rollouts__are_shown_on_the_map_only_where_there_is_one() -> None:
    for map_id, hidden in (("0" * 32, False), (None, True)):
        drawn = sent(rollout_rows(rollouts(map_id=map_id), [], VOCABULARY, "your image"))
        buttons = [one for one in every(drawn, "Button") if one["className"] == "button small"]
        assert [one.get("hidden") for one in buttons] == [None, hidden, None]


def test_moving_picture__can_be_kept() -> None:
    drawn = sent(animation_figure("data:image/webp;base64,AA==", "Size"))
    (picture,), (link,) = every(drawn, "Img"), every(drawn, "A")
    assert link["href"] == picture["src"]
    assert (link["download"], link["aria-label"]) == ("Size.webp", "Save Size")


def test_paths__are_lines_on_the_map_by_dimension() -> None:
    assert paths_by_dimension(rollouts(), ["Hair", "Size"]) == {
        "1": MapPath(map_id="0" * 32, name="Size", x=[1.0, 1.0, 3.0], y=[2.0, 2.0, 4.0])
    }
    assert paths_by_dimension(rollouts(map_id=None), []) is None


def test_joint__grows_to_the_right_and_upwards() -> None:
    images = [[STEP.model_copy(update={"image": f"data:{row}{column}"}) for column in range(2)] for row in range(2)]
    result = JointResult.model_validate(
        {**SCENE, "dimensions": (0, 1), "columns": [0, 1], "rows": [0, 1], "quantiles": [0.01, 0.99], "grid": images}
    )
    drawn = sent(joint_grid(result, ["Hair", "Size"], VOCABULARY))
    assert [one["src"] for one in every(drawn, "Img")] == ["data:10", "data:11", "data:00", "data:01"]
    places = [one["id"]["at"] for one in every(drawn, "Button")]
    assert places == ["joint-1-0", "joint-1-1", "joint-0-0", "joint-0-1"]
    assert every(drawn, "Img")[0]["alt"] == "Hair at 1 %, Size at 99 %"


def test_way_to_a_case__names_both_ends() -> None:
    result = TrajectoryResult.model_validate({**SCENE, "to": "C1", "distance": 1.5, "steps": [STEP] * 4})
    drawn = sent(path_figure(result, VOCABULARY, "case C0"))
    assert [text_of(one["children"]) for one in every(drawn, "Figcaption")] == ["case C0", "", "", "this case"]
    assert [one["id"]["at"] for one in every(drawn, "Button")] == [f"path-{number}" for number in range(4)]
    assert path_to_case(result) == MapPath(map_id="0" * 32, name="Path to C1", x=[1.0] * 4, y=[2.0] * 4)


def test_fault__another_try_is_offered_only_where_it_can_help() -> None:
    assert "Try again" in text_of(sent(error_box(Unavailable("search is away"), doing="The search", retry="search")))
    assert "Try again" not in text_of(sent(error_box(BadInput("k is 0"), doing="The search", retry="search")))


def test_card__says_who_stands_behind_it() -> None:
    behind = [Hidden(case=f"S{i}", reason="lesion", distance=2) for i in range(2)]
    behind.append(Hidden(case="D", reason="duplicate", distance=1.3))
    shown = match().model_copy(update={"hidden": behind})
    assert "+ 2 of this lesion, 1 near-duplicate" in text_of(sent(card(1, shown, VOCABULARY, [])))
    assert "near-duplicate and more" not in text_of(sent(card(1, shown, VOCABULARY, [])))
    unlisted = shown.model_copy(update={"more_hidden": True})
    assert "+ 2 of this lesion, 1 near-duplicate and more" in text_of(sent(card(1, unlisted, VOCABULARY, [])))
    assert "of this lesion" not in text_of(sent(card(1, match(), VOCABULARY, [])))


def test_card__similarity_under_own_weights_is_an_estimate() -> None:
    [tooltip] = every(sent(card(1, match(), VOCABULARY, [], own_weights=True)), "Tooltip")
    assert tooltip["label"].startswith(
        "About 78 % of matches of this diagnosis and distance share it with the query: estimated"
    )


def test_contributions__name_every_dimension_largest_first() -> None:
    shares = (*(0.01 * place for place in range(1, 14)), 0.09)
    drawn = sent(contributions(match(contributions=shares), [f"D{place}" for place in range(14)]))
    names = [row["children"][0]["props"]["children"] for row in every(drawn, "Li")]
    assert names[:3] == ["D12", "D11", "D10"]
    assert sorted(names) == sorted(f"D{place}" for place in range(14)), "all are told"
    [summary] = every(drawn, "Summary")
    assert summary["children"] == "The other 2: 3 %"


def test_rollouts__explain_a_name_by_its_evidence() -> None:
    drawn = sent(rollout_rows(rollouts(), ["Hair", "Size"], VOCABULARY, "case C1", ["AUC 0.8", "AUC 0.9"]))
    known = {one["children"]: one.get("title") for one in every(drawn, "Strong")}
    assert {known[name] for name in known} <= {"AUC 0.8", "AUC 0.9"}
    assert known.get("Hair", "AUC 0.8") == "AUC 0.8"
    assert known.get("Size", "AUC 0.9") == "AUC 0.9"


def test_weights__a_slider_for_each_dimension_in_the_order_of_the_bundle() -> None:
    drawn = sent(weight_rows("v-1", ["Size", "Redness"], [0.5, 3.4], [0.25, 0.0]))
    sliders = every(drawn, "Slider")
    assert [(one["value"], one["max"], one["thumbLabel"]) for one in sliders] == [
        (0.25, 4, "Weight of Size"),
        (0, 4, "Weight of Redness"),
    ]
    pictures = [one["style"]["backgroundImage"] for one in every(drawn, "Span") if one.get("role") == "img"]
    assert pictures == [f"url(/dimensions/v-1/{index}/{end})" for index in (0, 1) for end in ("low", "high")]
    assert text_of(drawn) == "Size 0.25 Only Redness 0.00 Only"


def test_weights__explain_a_name_by_its_evidence() -> None:
    drawn = sent(weight_rows("v-1", ["Size", "Redness"], [0.5, 3.4], [0.25, 0.0], ["AUC 0.8", ""]))
    titles = [one["title"] for one in every(drawn, "Span") if one.get("className") == "weight-name"]
    assert titles == ["Size. AUC 0.8", "Redness"]


def test_weights__reach_the_largest_of_the_bundle_and_of_the_session() -> None:
    def largest(*weights: float) -> float:
        return float(every(sent(weight_rows("v", ["A"], [0.1], weights)), "Slider")[0]["max"])

    assert (largest(0.4), largest(6.5)) == (2, 7)


def test_further__each_image_can_be_taken_away() -> None:
    drawn = sent(
        additional_image_names(
            [AdditionalImage(name=name, bundle_version="v", latent=[0.0]) for name in ("a.jpg", "b.jpg")]
        )
    )
    assert [button["id"]["place"] for button in every(drawn, "Button")] == [0, 1]
    assert [button["aria-label"] for button in every(drawn, "Button")] == ["Remove a.jpg", "Remove b.jpg"]


def test_own_cases__are_told_apart_from_the_image_itself() -> None:
    sibling = OwnCase(case=Case(id="S", diagnosis="nv"), distance=1.5, same_picture=False)
    itself = OwnCase(case=Case(id="I"), distance=0, same_picture=True)
    assert own_cases([], VOCABULARY) is None
    assert "Other images of the same lesion" in text_of(sent(own_cases([sibling], VOCABULARY)))
    text = text_of(sent(own_cases([itself, sibling], VOCABULARY)))
    assert "This image is in the collection" in text
    assert "I · the same image" in text
    assert "S · distance 1.50" in text


def test_steered__every_example_can_be_weighed_and_forgotten() -> None:
    drawn = sent(steering_chips("C9", "L7", [Example(case="A", weight=1.5), Example(case="B", weight=-1)]))
    assert "Search from case C9" in text_of(drawn)
    assert "My lesion: L7" in text_of(drawn)
    assert "More like this × 1.5" in text_of(drawn)
    assert "Less like this × 1" in text_of(drawn)
    steps = [b["id"]["step"] for b in every(drawn, "Button") if b["id"].get("case") == "B"]
    assert steps == [0.5, -0.5, 0], "more weight of a negative example is more negative"
    assert steering_chips(None, None, []) == []


def test_conditions__say_what_is_left_out() -> None:
    panel = FilterState(diagnosis=["mel"], excluded=["diagnosis"], columns=["skin_type\tII"], age_min=30)
    assert condition_texts(panel, VOCABULARY) == ["Diagnosis not: Melanoma", "Age: from 30 years", "skin type: II"]
    left_out = FilterState(columns=["skin_type\tII"], excluded=["columns"])
    assert condition_texts(left_out, VOCABULARY) == ["skin type not: II"]


def test_columns__are_offered_by_name_with_counts() -> None:
    counted = facets(**{"attributes.lens": [FacetValue(value="D3", count=1200), FacetValue(value=None, count=3)]})
    offered = column_values(counted, FilterState(columns=["lens\tD9"]))
    items = [{"value": "lens\tD3", "label": "D3 (1,200)"}, {"value": "lens\tD9", "label": "D9 (0)"}]
    assert offered == [{"group": "lens", "items": items}]
