"""What rollouts and ways start from: the case that the search starts from, else the uploaded image."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from casekin.contracts.base import CaseId, Latent
from services.ui.session.state import Query


class Subject(BaseModel):
    """One of both."""

    model_config = ConfigDict(frozen=True)

    bundle_version: str
    latent: Latent | None = None
    case: CaseId | None = None

    @property
    def name(self) -> str:
        """As the page says it within a sentence."""
        return f"case {self.case}" if self.case else "your image"

    @property
    def start(self) -> dict[str, Any]:
        """As the projector's payloads want it."""
        return self.model_dump(exclude_none=True)


def subject_of(asked: dict[str, Any] | None, case: CaseId | None, collection: dict[str, Any] | None) -> Subject | None:
    """From the browser's stores; none before there is either. A case is of the model that its collection is of."""
    if case is not None and collection is not None:
        return Subject(bundle_version=collection["bundle_version"], case=case)
    if asked is None:
        return None
    encoded = Query.model_validate(asked).encoded
    return Subject(bundle_version=encoded.bundle_version, latent=encoded.latent)
