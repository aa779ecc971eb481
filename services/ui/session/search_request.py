"""How a search is steered, and the request that follows from that and from where it starts."""

from casekin.contracts.base import WeightsChoice
from casekin.contracts.neighbours import ImageMeasures
from casekin.contracts.search import MOST_DIVERSE, SearchRequest, SearchResponse, Sort
from services.ui.session.filter_state import FilterState
from services.ui.session.stores import Json, Query, SearchStart, Stored

LARGEST_OFFSET = 1000
"""Matches that a search passes over at most."""


class Steering(Stored):
    """Filters, weights, order and page, as the controls of the page stand."""

    filters: FilterState = FilterState()
    preset: WeightsChoice = "clinical"
    weights: list[float] | None = None
    """[D] of the user's own, with preset custom only."""
    k: int = 12
    offset: int = 0
    one_per_lesion: bool = True
    diversity: float = 0.0
    sort: Sort = "distance"

    @property
    def has_next_page(self) -> bool:
        """Whether search accepts a request for the page after this one."""
        following = self.offset + self.k
        return following + self.k <= MOST_DIVERSE if self.diversity else following <= LARGEST_OFFSET

    @property
    def has_own_weights(self) -> bool:
        """Whether the weights are the user's own."""
        return self.preset == "custom"


def steering_in(data: Json) -> Steering:
    """What the browser's store holds, or the default before it holds anything."""
    return Steering() if data is None else Steering.model_validate(data)


def search_request(start: SearchStart, steering: Steering, bundle_version: str) -> SearchRequest:
    """The search for `start` as `steering` says; `bundle_version` is the collection's, for a search from a case."""
    query = None if start.case else start.query
    return SearchRequest(
        bundle_version=query.encoded.bundle_version if query else bundle_version,
        latents=(query.encoded.latent, *(image.latent for image in start.additional)) if query else (),
        case=start.case,
        examples=tuple(start.examples),
        filters=steering.filters.filters(),
        preset=steering.preset,
        weights=steering.weights,
        k=steering.k,
        offset=steering.offset,
        one_per_lesion=steering.one_per_lesion,
        own_lesion=start.own_lesion,
        diversity=steering.diversity,
        sort=steering.sort,
        image=_measures(query) if query else None,
    )


def rounded(response: SearchResponse) -> Json:
    """The response as the browser keeps it: contributions to four decimals, which is all the page shows."""
    matches = [
        match.model_copy(update={"contributions": [round(share, 4) for share in match.contributions]})
        for match in response.matches
    ]
    return response.model_copy(update={"matches": matches}).model_dump(mode="json")


def _measures(query: Query) -> ImageMeasures | None:
    quality = query.encoded.quality
    if quality.reconstruction_error is None:
        return None
    return ImageMeasures(
        reconstruction_error=quality.reconstruction_error, sharpness=quality.sharpness, brightness=quality.brightness
    )
