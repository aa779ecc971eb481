"""A digest changes with anything that would change what is stored."""

import hashlib

import pytest

from casekin.contracts.search import Case
from casekin.ingest.digest import case_digest

CASE = Case(id="c1", lesion_id="l1", diagnosis="nv", age=40, attributes={"b": "2", "a": "1"})


def test_case_digest__same_whatever_the_order_of_columns() -> None:
    other = CASE.model_copy(update={"attributes": {"a": "1", "b": "2"}})
    assert case_digest(b"image", CASE, "v1") == case_digest(b"image", other, "v1")


@pytest.mark.parametrize(
    ("image", "change", "version"),
    [
        (b"imagE", {}, "v1"),
        (b"", {}, "v1"),
        (b"image", {"diagnosis": "mel"}, "v1"),
        (b"image", {"age": 41.0}, "v1"),
        (b"image", {"site": "back"}, "v1"),
        (b"image", {"attributes": {}}, "v1"),
        (b"image", {}, "v2"),
    ],
)
def test_case_digest__different_for_image_metadata_or_bundle(image: bytes, change: dict, version: str) -> None:
    assert case_digest(image, CASE.model_copy(update=change), version) != case_digest(b"image", CASE, "v1")


def test_case_digest__known_value() -> None:
    """Pinned: another form would ingest every collection anew."""
    hashed = (
        'v1\0{"age":null,"attributes":{},"diagnosis":null,"evidence":null,"id":"c1","lesion_id":null,'
        '"sex":null,"site":null,"source":null}\0image'
    )
    assert case_digest(b"image", Case(id="c1"), "v1") == hashlib.sha256(hashed.encode()).hexdigest()
