"""What rollouts and paths start from, and what decides which cases are near their steps.

They start from the case that the search starts from, else from the uploaded image.
"""

from typing import TypedDict

from casekin.contracts.base import CaseId, Code, Latent, WeightsChoice
from services.ui.session.stores import Json, Stored, collection_in, query_in


class PayloadStart(TypedDict, total=False):
    """The fields of the projector's payloads that name a subject."""

    bundle_version: str
    latent: Latent
    case: CaseId


class PayloadNearness(TypedDict):
    """The fields of the projector's payloads that decide which cases are near a step."""

    preset: WeightsChoice
    weights: list[float] | None
    own_lesion: Code | None


class Nearness(Stored):
    """The weights of the search, and the lesion that the user calls their own: as search has them, without filters."""

    preset: WeightsChoice = "clinical"
    weights: list[float] | None = None
    own_lesion: Code | None = None

    @property
    def fields(self) -> PayloadNearness:
        """As the projector's payloads need them."""
        return PayloadNearness(preset=self.preset, weights=self.weights, own_lesion=self.own_lesion)


class Subject(Stored):
    """A latent, or a case of the collection."""

    bundle_version: str
    latent: Latent | None = None
    case: CaseId | None = None

    @property
    def name(self) -> str:
        """As the page names it within a sentence."""
        return f"case {self.case}" if self.case else "your image"

    @property
    def start(self) -> PayloadStart:
        """As the projector's payloads need it."""
        start = PayloadStart(bundle_version=self.bundle_version)
        if self.case is not None:
            start["case"] = self.case
        elif self.latent is not None:
            start["latent"] = self.latent
        return start


def nearness_in(data: Json) -> Nearness:
    """What the browser's store holds, or the default before it holds anything."""
    return Nearness() if data is None else Nearness.model_validate(data)


def subject_of(query: Json, case: CaseId | None, collection: Json) -> Subject | None:
    """From the browser's stores; none before there is either. A case is of the model that its collection is of."""
    if case is not None and (known := collection_in(collection)) is not None:
        return Subject(bundle_version=known.bundle_version, case=case)
    if (image := query_in(query)) is None:
        return None
    return Subject(bundle_version=image.encoded.bundle_version, latent=image.encoded.latent)
