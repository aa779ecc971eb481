"""A request contract refuses a value or can send it on: none is accepted that no answer or file could hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from casekin.contracts.base import ServiceUrl
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.cases import CaseBatch, DigestQuery
from casekin.contracts.collection import CollectionInfo
from casekin.contracts.encoder import DecodeRequest
from casekin.contracts.facets import FacetQuery
from casekin.contracts.indexes import IndexFill, Switch
from casekin.contracts.maps import CurrentMap
from casekin.contracts.names import Renaming
from casekin.contracts.search import SearchRequest
from services.projector.api.jobs import job_request
from services.projector.tasks.registry import HANDLERS

REQUESTS: tuple[type[BaseModel], ...] = (
    BundleManifest,
    CaseBatch,
    CollectionInfo,
    CurrentMap,
    DecodeRequest,
    DigestQuery,
    FacetQuery,
    IndexFill,
    Renaming,
    SearchRequest,
    Switch,
    job_request(HANDLERS),
    *(handler.payload for handler in HANDLERS),
)
NASTY = st.sampled_from(
    [
        *(float("nan"), float("inf"), 1e300, -1e300, 1e308, 1e-320, 10**30, 10**400, -1, 0, True, None),
        *("", " ", "\0", "\ud800", "x" * 60_000, "http://[::1", "http://a:99999999", "http://a\0b", "../..", "\u202e"),
        *([], {}, [None], [[]], {"": ""}, {"\ud800": 1.0}, {"\0": "x"}),
    ]
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def with_value(body: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    changed = dict(body) if isinstance(body, dict) else list(body)
    changed[path[0]] = with_value(body[path[0]], path[1:], value)
    return changed


@pytest.mark.parametrize("contract", REQUESTS, ids=lambda contract: contract.__name__)
@given(data=st.data())
def test_request__is_refused_or_survives_the_wire(contract: type[BaseModel], data: st.DataObject) -> None:
    example: Any = contract.model_config["json_schema_extra"]
    body = with_value(example["example"], data.draw(st.sampled_from(places(example["example"]))), data.draw(NASTY))
    try:
        accepted = contract.model_validate(body)
    except ValidationError:
        return
    assert contract.model_validate_json(accepted.model_dump_json()) == accepted


@pytest.mark.parametrize(
    "url",
    [
        *("http://[::1", "http://a:99999999", "http://a:0", "http://a:x", "http://a:", "http://a\0b", "http://a b", "http://"),
        *("ftp://a", "http://u:p@a", "http://a/x", "http://a?x", "http://a#x", "http://a?", "http://a\u2028", "a", ""),
        *("http://:80", "http://" + "x" * 300, "http://\ud800", "http://a\n"),
    ],
)  # fmt: skip
def test_service_url__that_cannot_be_is_refused_by_value(url: str) -> None:
    with pytest.raises(ValidationError, match="the address '"):
        TypeAdapter(ServiceUrl).validate_python(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8101", "https://encoder", "http://[::1]:80", "http://enc.local:65535"]
)
def test_service_url__of_host_and_port_is_taken_as_it_is(url: str) -> None:
    assert TypeAdapter(ServiceUrl).validate_python(url) == url


@pytest.mark.parametrize("number", [1e6 + 1, -1e6 - 1, 1e300, float("nan"), float("inf")])
def test_latent__beyond_the_bound_is_refused(number: float) -> None:
    with pytest.raises(ValidationError, match=r"1000000|finite"):
        DecodeRequest(bundle_version="made-1", latents=[[0.0, number]])


def test_latent__at_the_bound_is_taken() -> None:
    assert DecodeRequest(bundle_version="made-1", latents=[[1e6, -1e6]]).latents == [[1e6, -1e6]]
