"""No request ends in an error 500, whatever stands in it: it is answered, or refused by value and limit."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from casekin.clients.search import SearchClient
from casekin.contracts.search import SearchRequest
from casekin.errors import WrongWeights
from services.search.app import create_app
from tests.integration.search.conftest import settings_in
from tests.integration.search.made import batch, collection
from tests.serving import serving

SEARCH = {
    "bundle_version": "made-1",
    "latents": [[0.5, 0, 0, 0]],
    "examples": [{"case": "ISIC_0000001", "weight": 1.0}],
    "filters": [
        {"kind": "any_of", "field": "diagnosis", "values": ["mel", "nv"]},
        {"kind": "not", "of": {"kind": "any_of", "field": "site", "values": ["face"], "keep_unknown": True}},
        {"kind": "or", "of": [{"kind": "between", "field": "age", "low": 30, "high": 90, "keep_unknown": True}]},
    ],
    "preset": "custom",
    "weights": [1.0, 0.5, 0, 2],
    "k": 3,
    "offset": 0,
    "one_per_lesion": True,
    "own_lesion": "HAM_0000001",
    "diversity": 0.1,
    "sort": "age",
    "image": {"reconstruction_error": 0.1, "sharpness": 1.0, "brightness": 0.5},
}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/search"): SEARCH,
    ("POST", "/v1/facets"): {"filters": SEARCH["filters"]},
    ("POST", "/v1/cases/digests"): {"ids": ["ISIC_0000001"]},
    ("PUT", "/v1/collection"): {
        "title": "T",
        "licence": "CC0",
        "citation": "c",
        "sources": [{"title": "A", "licence": None, "citation": "x"}],
        "diagnoses": [{"code": "nv", "name": "Nevus", "malignant": False, "colour": "#7c9cbf"}],
        "labels": {"site": {"back": "Back"}},
        "evidence_weights": {"histo": 1.0},
    },
    ("PUT", "/v1/collection/index"): {"bundle_version": "made-1", "even_if_behind": False},
    ("PUT", "/v1/indexes/made-1/latents"): {
        "source": "made-1",
        "cases": [{"id": "ISIC_0000001", "digest": "0" * 64, "latent": [0.5, 0, 0, 0]}],
    },
}
NUMBERS = (
    *["1e300", "-1e300", "1e308", "1e-320", "-0.0", "NaN", "Infinity", "-Infinity", "1e999", "9007199254740993"],
    "1" * 400,
    "1" * 5000,
    "0." + "0" * 400 + "1",
)
TEXTS = ["", " ", "\0", "\ud800", "x" * 60_000, "http://[::1", "../..", "%", "\u202e", "é" * 300]
NASTY = st.one_of(
    st.sampled_from([f"@@{number}@@" for number in NUMBERS]),
    st.sampled_from(TEXTS),
    st.sampled_from([None, True, [], {}, [[]], [None], {"": ""}, {"\ud800": 1}, 0, -1, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def with_value(body: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    changed = dict(body) if isinstance(body, dict) else list(body)
    changed[path[0]] = with_value(body[path[0]], path[1:], value)
    return changed


def as_text(body: object) -> bytes:
    """JSON with the numbers that Python's own does not write as they stand."""
    text = json.dumps(body)
    for number in NUMBERS:
        text = text.replace(f'"@@{number}@@"', number)
    return text.encode()


def hostile(body: dict[str, Any]) -> st.SearchStrategy[object]:
    """`body` with one value, at any depth, replaced by a nasty one."""
    return st.builds(with_value, st.just(body), st.sampled_from(list(places(body))), NASTY)


HOSTILE = st.sampled_from(list(BODIES)).flatmap(lambda route: st.tuples(st.just(route), hostile(BODIES[route])))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(create_app(settings_in(tmp_path_factory.mktemp("hostile")))) as url:
        with SearchClient(url, attempts=1) as client:
            client.put_cases(*batch(collection(12)))
        yield url


@limits(deadline=None, max_examples=250)
@given(request_=HOSTILE)
def test_body__with_a_hostile_value_is_answered_or_refused(url: str, request_: tuple[tuple[str, str], object]) -> None:
    (method, path), body = request_
    answer = httpx.request(method, url + path, content=as_text(body), headers={"content-type": "application/json"})
    assert answer.status_code < 500, (answer.text, body)
    if answer.status_code >= 400:
        assert answer.json()["detail"]
        assert len(answer.text) < 5000


@pytest.mark.parametrize(
    "path",
    [
        "/v1/cases/%00", "/v1/cases/%ED%A0%80/image", "/v1/cases/" + "x" * 3000, "/v1/lesions/%2500",
        "/v1/latents?after=%00",
        "/v1/latents?after=" + "x" * 3000, "/v1/latents?limit=" + "9" * 5000, "/v1/latents?limit=1e308",
        "/v1/indexes/made-1/lag?after=%00", "/v1/indexes/%00/lag",
    ],
)  # fmt: skip
def test_path__with_a_hostile_value_is_refused(url: str, path: str) -> None:
    answer = httpx.get(url + path)
    assert answer.status_code in (404, 405, 422), answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize("lesion", ["x" * 500, "x" * 501, "x" * 60_000, "\0", " "])
def test_lesion__that_cannot_be_is_not_found_or_refused(url: str, lesion: str) -> None:
    answer = httpx.delete(f"{url}/v1/lesions/{lesion.replace(chr(0), '%00').replace(' ', '%20')}")
    assert answer.status_code in (404, 422), answer.text
    if len(lesion) > 500:
        assert f"has {len(lesion)} characters; at most 500 are allowed" in answer.json()["detail"]


@pytest.mark.parametrize("weight", [1e-320, 1e-300, 9.9e-7])
def test_search__weights_too_small_to_tell_cases_apart_are_refused(url: str, weight: float) -> None:
    with SearchClient(url, attempts=1) as client, pytest.raises(WrongWeights, match=f"largest weight is {weight:g}"):
        client.search(request(preset="custom", weights=[weight] * 4))


def test_search__the_smallest_and_largest_weights_are_answered(url: str) -> None:
    with SearchClient(url, attempts=1) as client:
        for weights in ([1e-6] * 4, [1e6] * 4, [1e-320, 1, 0, 0]):
            found = client.search(request(preset="custom", weights=weights))
            assert len(found.matches) == 12


def request(**fields: Any) -> SearchRequest:
    return SearchRequest(bundle_version="made-1", latents=([0.5, 0, 0, 0],), one_per_lesion=False, **fields)


@pytest.mark.parametrize("name", ["reconstruction_error", "sharpness", "brightness"])
def test_search__image_measures_beyond_what_can_be_are_refused(url: str, name: str) -> None:
    body = with_value(SEARCH, ("image", name), 1e308)
    answer = httpx.post(f"{url}/v1/search", json=body)
    assert answer.status_code == 422
    assert f"image.{name}: Input should be less than or equal to" in answer.json()["detail"]
    assert "(got 1e+308)" in answer.json()["detail"]
