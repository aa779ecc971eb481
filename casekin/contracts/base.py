"""What all contracts share: strict immutable messages, the text types, and latent coordinates.

One set of text types serves what is stored, what is answered and what is filtered by, so that whatever was accepted
once can be answered, and chosen in a filter, by every route.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import ErrorDetails

USER_HEADER = "X-Casekin-User"
"""HTTP header with the name of the user, as the page signed them in; services trust it from callers with the key."""


class Contract(BaseModel):
    """A message between processes: unknown fields are refused and instances do not change.

    Each concrete contract carries an example in its JSON schema; one test validates all of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


LONGEST_ID = 200
LONGEST_CODE = 500
LONGEST_CELL = 10_000
LONGEST_NOTE = 5_000
_LONGEST_MESSAGE = 400
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, lone surrogates, line and paragraph separators."""


def excerpt(text: str, most: int = 60) -> str:
    """`text` in quotes for a message, shortened, with what cannot be printed or encoded as an escape."""
    return repr(text if len(text) <= most else text[:most] + "…")


def _limited(text: str, most: int) -> str:
    """`text` in Unicode's composed form (NFC); raises ValueError where it is empty, too long or not printable."""
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    if 0 < len(text) <= most and text.isprintable():
        return text
    if not text:
        raise ValueError(f"the text is empty; it must have 1 to {most} characters")
    for place, character in enumerate(text):
        if unicodedata.category(character) in _REFUSED:
            raise ValueError(
                f"{excerpt(text)} has the character U+{ord(character):04X} at position {place + 1}; "
                "control characters, line breaks and lone surrogates are not allowed"
            )
    if len(text) > most:
        raise ValueError(f"{excerpt(text)} has {len(text)} characters; at most {most} are allowed")
    return text


def _id(text: str) -> str:
    return _limited(text.strip(), LONGEST_ID)


def _line(most: int) -> Callable[[str], str]:
    """A check of one line of text: line breaks, tabs and special spaces become plain spaces, ends are stripped."""

    def check(text: str) -> str:
        return _limited(text.strip() if text.isprintable() else " ".join(text.split()), most)

    return check


def _paragraphs(most: int) -> Callable[[str], str]:
    """A check of text of several lines, which may be empty: control characters become spaces, ends are stripped."""

    def check(text: str) -> str:
        if not text.isprintable():
            lines = text.replace("\r\n", "\n").replace("\r", "\n")
            text = "".join(" " if _is_stray(character) else character for character in lines)
        text = text.strip()
        text = text if text.isascii() else unicodedata.normalize("NFC", text)
        if len(text) > most:
            raise ValueError(f"{excerpt(text)} has {len(text)} characters; at most {most} are allowed")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError(f"{excerpt(text)} has a lone surrogate, which is no character")
        return text

    return check


def _is_stray(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) == "Cc"


def _schema(least: int, most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": least, "maxLength": most})


CaseId = Annotated[str, AfterValidator(_id), _schema(1, LONGEST_ID)]
"""Id of a case: any text without control characters; `casekin.contracts.paths` puts it into URLs and file names."""

Code = Annotated[str, AfterValidator(_line(LONGEST_CODE)), _schema(1, LONGEST_CODE)]
"""One value of a vocabulary, e.g. a diagnosis code, a site or the id of a lesion."""


def is_code(text: str) -> bool:
    """Whether `text` is a `Code` as it stands, so that it can be counted and filtered by."""
    try:
        return _line(LONGEST_CODE)(text) == text
    except ValueError:
        return False


Label = Code
"""One line for the page: the name of a diagnosis, the title of a collection."""

Cell = Annotated[str, AfterValidator(_paragraphs(LONGEST_CELL)), _schema(0, LONGEST_CELL)]
"""Value of a further column of a collection; only cells that are a `Code` can be counted and filtered by."""

Note = Annotated[str, AfterValidator(_paragraphs(LONGEST_NOTE)), _schema(0, LONGEST_NOTE)]
"""Free text for people, e.g. a licence or a citation."""

BundleVersion = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
"""As in a bundle's manifest: it becomes part of the names of folders and collections."""

LARGEST_COORDINATE = 1e6
"""Of a latent, in standard deviations: beyond it float32 has no room for squares."""

Coordinate = Annotated[float, Field(ge=-LARGEST_COORDINATE, le=LARGEST_COORDINATE)]
"""One coordinate of a latent, in standard deviations of the training set."""

Latent = Annotated[list[Coordinate], Field(min_length=1, max_length=4096)]
"""D standardised coordinates."""

Preset = Literal["visual", "clinical"]
"""A stored choice of weights: all 1, or those the bundle learned."""

WeightsChoice = Preset | Literal["custom"]
"""A preset, or weights that come with the request."""

_LONGEST_URL = 300
_LARGEST_PORT = 65_535


def _service_url(url: str) -> str:
    url = url.removesuffix("/")
    shown = excerpt(url)
    if len(url) > _LONGEST_URL:
        raise ValueError(f"the address {shown} has {len(url)} characters; at most {_LONGEST_URL} are allowed")
    if not url.isprintable() or any(character.isspace() for character in url):
        raise ValueError(f"the address {shown} has a space or a control character in it")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:  # a bracket without its pair
        raise ValueError(f"the address {shown} cannot be read: {error}") from error
    _, colon, port = parts.netloc.rpartition("@")[2].rpartition("]")[2].rpartition(":")
    if colon and not (port.isascii() and port.isdigit() and 1 <= int(port) <= _LARGEST_PORT):
        shown_port = port or "empty"
        raise ValueError(f"the address {shown} is wrong: the port is {shown_port}; name one from 1 to {_LARGEST_PORT}")
    beyond = parts.path or parts.query or parts.fragment or parts.username is not None or "?" in url or "#" in url
    if "[" in parts.netloc and not re.fullmatch(r"\[[^\[\]]+\](:\d+)?", parts.netloc):
        raise ValueError(f"the address {shown} has text around an IPv6 address")
    if parts.scheme not in ("http", "https") or not host or beyond:
        raise ValueError(f"the address {shown} must be http:// or https:// with host and port and nothing more")
    return url


ServiceUrl = Annotated[
    str, AfterValidator(_service_url), WithJsonSchema({"type": "string", "format": "uri", "maxLength": _LONGEST_URL})
]
"""Address of a service: scheme, host and port."""


def worded(fault: ErrorDetails) -> str:
    """What is wrong with a value, of an error of pydantic, with the value where it is short and not named already."""
    message, value = fault["msg"].removeprefix("Value error, "), fault.get("input")
    message = message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "…"
    if fault["type"] == "value_error" or not isinstance(value, str | int | float):
        return message
    shown = excerpt(value) if isinstance(value, str) else str(value)
    return f"{message} (got {shown})"
