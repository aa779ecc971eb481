"""What the page's callbacks answer, with a real encoder and a real search behind them."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from casekin.contracts.search import SearchRequest
from services.ui.app import create_app
from services.ui.session.search_request import Steering
from tests import pictures
from tests.unit.ui.conftest import (
    CASES,
    NOWHERE,
    Behind,
    Browser,
    add,
    collection,
    matched,
    over_asgi,
    picture,
    query,
    staged,
    steering,
    text_of,
)


@pytest.fixture
async def lonely(behind: Behind) -> AsyncIterator[Browser]:
    """A page whose search is away."""
    async with over_asgi(create_app(behind.settings(search_url=NOWHERE))) as client:
        yield Browser(client)


async def test_poll__tells_collection_model_and_who_is_missing(browser: Browser) -> None:
    answer = await browser.call("collection.data", "collection-poll")
    assert text_of(answer["collection-title"]["children"]) == f"Blobs {CASES} cases of {CASES // 2} lesions"
    assert text_of(answer["model-version"]["children"]) == "Model tiny-1"
    assert text_of(answer["service-state"]["children"]).strip() == "Map and rollouts does not answer"
    assert answer["model"]["data"]["dimensions"] == ["Red", "Green", "Blue", "Centre brightness"]


async def test_poll__an_unchanged_collection_causes_no_search(browser: Browser) -> None:
    held = (await collection(browser))["collection"]
    assert "collection" not in await browser.call("collection.data", "collection-poll", collection=held)


async def test_upload__shows_reconstruction_and_head_and_keeps_no_image(browser: Browser) -> None:
    answer = await browser.call("query.data", "staged", staged=staged(picture(3)), **await collection(browser))
    assert answer["query-panel"]["hidden"] is False
    assert answer["reconstruction"]["src"].startswith("data:image/")
    assert answer["query"]["data"]["encoded"]["reconstruction"] is None
    assert "120 × 90 px" in text_of(answer["query-name"]["children"])
    assert answer["query-picture"]["className"] == "picture"


async def test_upload__a_portrait_image_is_shown_turned_as_it_was_encoded(browser: Browser) -> None:
    image = pictures.saved(pictures.lesion(90, 120), "PNG")
    answer = await browser.call("query.data", "staged", staged=staged(image), **await collection(browser))
    assert answer["query"]["data"]["encoded"]["quality"]["turned"] is True
    assert answer["query-picture"]["className"] == "picture turned"
    assert answer["case-query-picture"]["className"] == "picture turned"


async def test_head__names_diagnoses_as_soon_as_the_collection_is_known(browser: Browser) -> None:
    asked = await query(browser)
    before = await browser.call("class-head.children", "query", query=asked)
    known = (await collection(browser))["collection"]
    after = await browser.call("class-head.children", "collection", query=asked, collection=known)
    assert "Melanoma" not in text_of(before["class-head"]["children"])
    assert "Melanoma" in text_of(after["class-head"]["children"])
    assert "not a diagnosis" in text_of(after["class-head"]["children"])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"this is text, whatever its name says", "unsupported-image"),
        (b"", "empty-upload"),
        (picture(1)[:700], "corrupt-image"),
        (picture(1) + b"\0" * 20_000_001, "upload-too-large"),
    ],
)
async def test_upload__what_is_no_image_is_said_in_words(browser: Browser, data: bytes, code: str) -> None:
    answer = await browser.call("query.data", "staged", staged=staged(data, "note.jpg"))
    fault = answer["upload-error"]["children"]
    assert fault["props"]["data-code"] == code
    assert "note.jpg" in text_of(fault)
    assert answer["query"]["data"] is None
    assert answer["query-panel"]["hidden"] is True


@pytest.mark.parametrize("contents", ["data:", "nonsense", "data:image/jpeg;base64,@"])
async def test_upload__what_is_no_data_uri_is_said_in_words(browser: Browser, contents: str) -> None:
    answer = await browser.call("query.data", "staged", staged={"contents": contents, "name": "x", "at": 1})
    assert answer["upload-error"]["children"]["props"]["data-code"] in ("bad-input", "empty-upload")


async def test_search__sets_the_image_itself_apart(browser: Browser) -> None:
    asked = {"query": await query(browser, 3), "steering": steering(), **await collection(browser)}
    answer = await browser.call("results.data", "query", **asked)
    assert "CASE_003 · the same image" in text_of(answer["own"]["children"])
    assert not {"CASE_002", "CASE_003"} & {case["id"] for case in matched(answer)}, "its lesion tells nothing"
    assert text_of(answer["match-status"]["children"]) == "6 nearest matches of 24 cases in the collection"
    assert "Melanoma" in text_of(answer["matches"]["children"])
    assert "As in this collection" in text_of(answer["statistics"]["children"])


async def test_search__pages_examples_and_additional_images_reach_the_service(browser: Browser) -> None:
    asked = {"query": await query(browser), "steering": steering(), **await collection(browser)}
    plain = matched(await browser.call("results.data", "query", **asked))
    second = await browser.call("results.data", "steering", **{**asked, "steering": {**steering(), "offset": 6}})
    assert not {case["id"] for case in plain} & {case["id"] for case in matched(second)}
    assert text_of(second["match-status"]["children"]).startswith("Matches 7 to 11 of 24")
    assert (second["page-previous"]["disabled"], second["page-next"]["disabled"]) == (False, True)
    examples = [{"case": plain[-1]["id"], "weight": 2.0}]
    moved = matched(await browser.call("results.data", "examples", **asked, examples=examples))
    assert plain[-1]["id"] not in {case["id"] for case in moved}
    assert [case["id"] for case in moved] != [case["id"] for case in plain]
    added = await add(browser, staged(picture(9)), query=asked["query"])
    both = await browser.call(
        "results.data", "additional", **asked, additional=[added["additional-encoded"]["data"]["image"]]
    )
    assert "CASE_009" in text_of(both["own"]["children"])


async def test_search__starts_from_a_case_without_an_upload(browser: Browser) -> None:
    answer = await browser.call(
        "results.data", "start-case", start_case="CASE_010", steering=steering(), **await collection(browser)
    )
    assert "CASE_010 · the same image" in text_of(answer["own"]["children"])
    assert len(matched(answer)) == 6


async def test_search__has_own_weights_reach_the_service(browser: Browser) -> None:
    asked = {"query": await query(browser), **await collection(browser)}
    own = {**steering(), "preset": "custom", "weights": [0.0, 0.0, 1.0, 0.0]}
    answer = await browser.call("results.data", "steering", **asked, steering=own)
    shares = [match["contributions"] for match in answer["results"]["data"]["matches"]]
    assert shares == [[0, 0, 1, 0]] * 6, "only blue counts"
    assert text_of(answer["match-status"]["children"]).endswith("in the collection, by your own weights")
    nothing = {**own, "weights": [0.0] * 4}
    refused = await browser.call("results.data", "steering", **asked, steering=nothing)
    assert refused["search-error"]["children"]["props"]["data-code"] == "wrong-weights"


async def test_search__a_lesion_named_as_the_own_is_set_apart(browser: Browser) -> None:
    asked = {"query": await query(browser), "steering": steering(), **await collection(browser)}
    nearest = matched(await browser.call("results.data", "query", **asked))[0]
    answer = await browser.call("results.data", "own-lesion", **asked, own_lesion=nearest["lesion_id"])
    assert nearest["lesion_id"] not in {case["lesion_id"] for case in matched(answer)}
    assert nearest["id"] in text_of(answer["own"]["children"])


@pytest.mark.parametrize(
    ("steered", "has_next"),
    [
        ({"k": 96}, True),
        ({"k": 96, "offset": 960}, False),
        ({"k": 48, "diversity": 0.3, "offset": 96}, True),
        ({"k": 96, "diversity": 0.3, "offset": 96}, False),
    ],
)
def test_steering__offers_no_page_that_search_refuses(steered: dict[str, Any], has_next: bool) -> None:
    held = Steering.model_validate(steered)
    assert held.has_next_page is has_next
    asked = {"bundle_version": "v", "case": "A", "k": held.k, "diversity": held.diversity}
    following = {**asked, "offset": held.offset + held.k}
    if has_next:
        SearchRequest.model_validate(following)
    else:
        with pytest.raises(ValidationError):
            SearchRequest.model_validate(following)


async def test_weights__rows_stand_where_the_session_left_them_unless_the_model_changed(browser: Browser) -> None:
    model = (await collection(browser))["model"]
    held = {"version": "tiny-1", "values": [0.0, 2.5, 1.0, 0.0]}
    for weights, stand in (
        (held, [0, 2.5, 1, 0]),
        ({**held, "version": "old-1"}, [0.5, 1, 1, 1.5]),
        (None, [0.5, 1, 1, 1.5]),
    ):
        answer = await browser.call("weight-rows.children", "model", model=model, weights=weights)
        told = text_of(answer["weight-rows"]["children"])
        assert re.findall(r"\d\.\d\d", told) == [f"{weight:.2f}" for weight in stand]


async def test_search__matches_obey_the_filters(browser: Browser) -> None:
    asked = {"query": await query(browser), "steering": steering(diagnosis=["mel"], sex=["male"], age_min=30)}
    cases = matched(await browser.call("results.data", "steering", **asked, **await collection(browser)))
    assert cases
    assert all((case["diagnosis"], case["sex"]) == ("mel", "male") and case["age"] >= 30 for case in cases)


async def test_search__nothing_passes_says_which_conditions(browser: Browser) -> None:
    asked = {"query": await query(browser), "steering": steering(diagnosis=["mel"], age_min=100)}
    answer = await browser.call("results.data", "steering", **asked, **await collection(browser))
    words = text_of(answer["matches"]["children"])
    assert "Diagnosis: Melanoma" in words
    assert "Age: from 100 years" in words
    assert "Clear all filters" in words
    assert "Age alone excludes 24 cases; without this filter 8 cases would pass" in words


async def test_search__away_says_so_and_offers_another_try(browser: Browser, lonely: Browser) -> None:
    asked = {"query": await query(browser), "steering": steering(), **await collection(browser)}
    answer = await lonely.call("results.data", "query", **asked)
    fault = answer["search-error"]["children"]
    assert fault["props"]["data-code"] == "unavailable"
    assert "Try again" in text_of(fault)
    assert "Traceback" not in text_of(fault)
    assert answer["matches"]["children"] is None


async def test_search__a_query_of_another_model_is_said_in_words(browser: Browser) -> None:
    old = await query(browser)
    old["encoded"]["bundle_version"] = "older-1"
    answer = await browser.call("results.data", "query", query=old, steering=steering(), **await collection(browser))
    assert answer["search-error"]["children"]["props"]["data-code"] == "wrong-latent"


async def test_search__a_collection_that_grew_does_not_change_the_matches(browser: Browser) -> None:
    asked = {"query": await query(browser), "steering": steering(), **await collection(browser)}
    assert await browser.call("results.data", "collection", **asked) == {}


async def test_search__a_collection_that_grew_is_searched_where_nothing_was_found(browser: Browser) -> None:
    asked = {"query": await query(browser), "steering": steering(), **await collection(browser)}
    assert matched(await browser.call("results.data", "collection", **asked, results={"matches": []}))
    shown = {"matches": [{"case": {"id": "CASE_001"}}]}
    assert await browser.call("results.data", "collection", **asked, results=shown) == {}


async def test_search__no_cases_says_how_to_ingest(browser: Browser) -> None:
    empty = {"collection": {**(await collection(browser))["collection"], "cases": 0}}
    answer = await browser.call("results.data", "collection", **empty)
    assert "casekin ingest" in text_of(answer["matches"]["children"])


async def test_counts__follow_the_filters(browser: Browser) -> None:
    held = await collection(browser)
    values = {"filter_age": None, "steering": steering(diagnosis=["mel"]), **held}
    answer = await browser.call("filter-diagnosis.children", "steering", **values)
    assert text_of(answer["passing"]["children"]) == "8 cases"
    assert text_of(answer["active-diagnosis"]["children"]) == "1"
    assert "Diagnosis: Melanoma" in text_of(answer["chips"]["children"])
    boxes = {box["props"]["value"] for box in answer["filter-diagnosis"]["children"]}
    assert boxes == {"nv", "mel", "bkl"}


async def test_counts__away_says_so_and_keeps_the_chips(browser: Browser, lonely: Browser) -> None:
    values = {"steering": steering(sex=["male"]), **await collection(browser)}
    answer = await lonely.call("filter-diagnosis.children", "steering", **values)
    assert answer["facets-error"]["children"]["props"]["data-code"] == "unavailable"
    assert "Sex: male" in text_of(answer["chips"]["children"])


async def test_case__shows_what_is_known(browser: Browser) -> None:
    held = await collection(browser)
    found = await browser.call("results.data", "query", query=await query(browser), steering=steering(), **held)
    nearest = matched(found)[0]
    values = {"open_case": {"id": nearest["id"], "at": 1}, "results": found["results"]["data"], **held}
    answer = await browser.call("case-modal.opened", "open-case", **values)
    assert answer["case-modal"]["opened"] is True
    assert answer["case-image"]["src"] == f"/images/{nearest['id']}"
    assert text_of(answer["case-place"]["children"]) == "1 of 6"
    assert nearest["lesion_id"] in text_of(answer["case-facts"]["children"])


async def test_case__of_the_map_need_not_be_a_match(browser: Browser) -> None:
    answer = await browser.call("case-modal.opened", "open-case", open_case={"id": "CASE_010", "at": 1})
    assert "Not among the matches" in text_of(answer["case-contributions"]["children"])
    assert answer["case-steps"]["hidden"] is True


async def test_case__unknown_is_said_in_words(browser: Browser) -> None:
    answer = await browser.call("case-modal.opened", "open-case", open_case={"id": "GONE", "at": 1})
    assert answer["case-error"]["children"]["props"]["data-code"] == "not-found"


@pytest.mark.parametrize(
    ("output", "changed", "fault"),
    [("map.figure", "tabs", "map-error"), ("map-job.data", "map-draw", "map-job-error"),
     ("rollouts-job.data", "tabs", "rollouts-error")],
)  # fmt: skip
async def test_projector_away__is_said_in_place(browser: Browser, output: str, changed: str, fault: str) -> None:
    tab = "rollouts" if "rollouts" in output else "map"
    look = {"scheme": "light", "engine": "scattergl"}
    answer = await browser.call(output, changed, tabs=tab, map_look=look, query=await query(browser), map_draw=1)
    assert answer[fault]["children"]["props"]["data-code"] == "unavailable"


async def test_bug__is_words_on_the_page_and_a_trace_in_the_log(
    browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"query": await query(browser), "steering": {"filters": "not a filter"}}
    answer = await browser.call("results.data", "query", **values)
    fault = answer["page-notice"]["children"]
    assert fault["props"]["data-code"] == "unexpected"
    assert "not a filter" not in text_of(fault)
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert any(entry["event"] == "callback" and "Traceback" in entry["exception"] for entry in logged)
