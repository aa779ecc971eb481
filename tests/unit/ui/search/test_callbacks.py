"""What a search sends besides the latent, and what never comes back as a match."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.encoder.app import create_app as create_encoder
from services.encoder.settings import EncoderSettings
from services.ui.app import create_app
from tests.serving import serving
from tests.tiny_bundle import build_tiny_bundle
from tests.unit.ui.conftest import (
    CASES,
    Behind,
    Browser,
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
async def browser_of_another_model(behind: Behind, tmp_path: Path) -> AsyncIterator[Browser]:
    """A page whose encoder has another bundle than the one that the collection was indexed with."""
    bundle = build_tiny_bundle(tmp_path / "other", "tiny-2")
    with serving(create_encoder(EncoderSettings(bundle=bundle))) as encoder:
        async with over_asgi(create_app(behind.settings(encoder_url=encoder))) as client:
            yield Browser(client)


def pages(steered: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for offset in range(0, CASES, steered["k"]):
        yield {**steered, "offset": offset}


async def test_search__sends_what_the_encoder_measured_on_the_image(browser: Browser) -> None:
    known = await collection(browser)
    dark = await query(browser, 3)
    dark["encoded"]["quality"]["brightness"] = 0.1  # the latent is that of a usual image
    usual = await query(browser, 3)
    for image, is_warned in ((dark, True), (usual, False)):
        answer = await browser.call("results.data", "query", query=image, steering=steering(), **known)
        words = text_of(answer["statistics"]["children"])
        assert ("Darker than the collection's images" in words) is is_warned


async def test_search__from_a_case_sends_no_measures_of_the_upload(browser: Browser) -> None:
    image = await query(browser, 3)
    image["encoded"]["quality"]["brightness"] = 0.1
    values = {"query": image, "start_case": "CASE_010", "steering": steering(), **await collection(browser)}
    answer = await browser.call("results.data", "start-case", **values)
    assert "Darker" not in text_of(answer["statistics"]["children"])


async def test_search__examples_are_no_matches_on_any_page(browser: Browser) -> None:
    asked = {"query": await query(browser), **await collection(browser)}
    single = {**steering(), "one_per_lesion": False}
    plain = [case["id"] for case in matched(await browser.call("results.data", "query", **asked, steering=single))]
    examples = [{"case": plain[0], "weight": 2.0}, {"case": plain[1], "weight": -1.5}]
    shown: list[str] = []
    for page in pages(single):
        answer = await browser.call("results.data", "examples", **asked, steering=page, examples=examples)
        shown += [case["id"] for case in matched(answer)]
    assert len(shown) > CASES / 2
    assert not {plain[0], plain[1]} & set(shown)


async def test_search__examples_count_with_their_weights(browser: Browser) -> None:
    asked = {"query": await query(browser), "steering": steering(), **await collection(browser)}

    async def nearest(weight: float) -> list[str]:
        examples = [{"case": "CASE_020", "weight": weight}]
        return [
            case["id"] for case in matched(await browser.call("results.data", "examples", **asked, examples=examples))
        ]

    assert await nearest(4) != await nearest(-4)


async def test_page__says_that_encoder_and_search_have_different_bundles(browser_of_another_model: Browser) -> None:
    answer = await browser_of_another_model.call("collection.data", "collection-poll")
    words = text_of(answer["collection-notice"]["children"])
    assert "tiny-2" in words
    assert "tiny-1" in words


async def test_search__with_an_image_of_another_bundle_is_refused_not_answered(
    browser_of_another_model: Browser,
) -> None:
    known = await collection(browser_of_another_model)
    encoded = await browser_of_another_model.call("query.data", "staged", staged=staged(picture(3)))
    values = {"query": encoded["query"]["data"], "steering": steering(), **known}
    answer = await browser_of_another_model.call("results.data", "query", **values)
    assert answer["search-error"]["children"]["props"]["data-code"] == "wrong-latent"
    assert answer["results"]["data"] is None
