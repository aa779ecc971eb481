"""What the browser holds of a session, as the page's server reads it; nothing of it stays on the server."""

import base64
import binascii
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from casekin.contracts.base import Preset
from casekin.contracts.encoder import EncodeResponse
from casekin.contracts.search import FACETED, Filters, SearchRequest, SearchResponse
from casekin.errors import BadInput


class Query(BaseModel):
    """The uploaded image after encoding; the image itself is only in the browser."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="of the file")
    encoded: EncodeResponse


class Steering(BaseModel):
    """What the clinician asks of the search."""

    model_config = ConfigDict(frozen=True)

    filters: Filters = Filters()
    preset: Preset = "clinical"
    k: int = 12
    one_per_lesion: bool = True


def steering_of(data: dict[str, Any] | None) -> Steering:
    """What the browser's store holds, or the default before it holds anything."""
    return Steering() if data is None else Steering.model_validate(data)


def search_request(query: Query, steering: Steering) -> SearchRequest:
    """The search that `steering` asks for."""
    return SearchRequest(
        bundle_version=query.encoded.bundle_version,
        latent=query.encoded.latent,
        filters=steering.filters,
        preset=steering.preset,
        k=steering.k,
        one_per_lesion=steering.one_per_lesion,
    )


def slim(response: SearchResponse) -> dict[str, Any]:
    """The response as the browser keeps it: contributions to four decimals, which is all the page shows."""
    data = response.model_dump(mode="json")
    for match in data["matches"]:
        match["contributions"] = [round(share, 4) for share in match["contributions"]]
    return data


def is_filtered(filters: Filters) -> bool:
    """Whether any condition is set."""
    return any(getattr(filters, field) for field in FACETED) or not (filters.age_min is filters.age_max is None)


def image_bytes(contents: str) -> bytes:
    """The bytes behind a data URI; raises `BadInput` where it is none."""
    head, comma, body = contents.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        # an empty file arrives as "data:", and the encoder says it best
        if contents in ("", "data:", "data:,"):
            return b""
        raise BadInput("the browser sent no base64 data URI; choose the file again")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise BadInput("the browser sent broken base64; choose the file again") from error
