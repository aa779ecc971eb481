"""A digest changes with anything that would change what is stored."""

import hashlib

import pytest

from casekin.contracts.cases import Case
from casekin.ingest.encoding import case_digest

CASE = Case(id="c1", lesion_id="l1", diagnosis="nv", age=40, attributes={"b": "2", "a": "1"})


def test_case_digest__same_whatever_the_order_of_columns() -> None:
    other = CASE.model_copy(update={"attributes": {"a": "1", "b": "2"}})
    assert case_digest(b"image", CASE) == case_digest(b"image", other)


@pytest.mark.parametrize(
    ("image", "change"),
    [
        (b"imagE", {}),
        (b"", {}),
        (b"image", {"diagnosis": "mel"}),
        (b"image", {"age": 41.0}),
        (b"image", {"site": "back"}),
        (b"image", {"attributes": {}}),
    ],
)
def test_case_digest__different_for_image_or_metadata(image: bytes, change: dict) -> None:
    assert case_digest(image, CASE.model_copy(update=change)) != case_digest(b"image", CASE)


def test_case_digest__known_value() -> None:
    """Pinned: another form would ingest every collection anew."""
    hashed = (
        '{"age":null,"attributes":{},"diagnosis":null,"evidence":null,"id":"c1","lesion_id":null,'
        '"sex":null,"site":null,"source":null}\0image'
    )
    assert case_digest(b"image", Case(id="c1")) == hashlib.sha256(hashed.encode()).hexdigest()


def test_case_digest__known_value_of_letters_beyond_ascii() -> None:
    """Pinned: escaped letters would ingest every collection with an umlaut anew."""
    hashed = (
        '{"age":null,"attributes":{"Größe":"3"},"diagnosis":"nævus","evidence":null,"id":"c1","lesion_id":null,'
        '"sex":null,"site":null,"source":null}\0'
    )
    case = Case(id="c1", diagnosis="nævus", attributes={"Größe": "3"})
    assert case_digest(b"", case) == hashlib.sha256(hashed.encode()).hexdigest()
