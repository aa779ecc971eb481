"""One row -> a case ready to store, or the outcome that makes storing needless or impossible."""

from collections.abc import Callable
from dataclasses import dataclass

from casekin.clients import EncoderClient
from casekin.collections import Row
from casekin.contracts.search import CaseUpload
from casekin.errors import CasekinError, Conflict, StorageFull, Unauthorized, Unavailable, Unexpected
from casekin.ingest.digest import case_digest
from casekin.ingest.outcome import Kind, Outcome

FATAL = (Unauthorized, Unavailable, StorageFull, Conflict)
"""Errors that the next image would meet, too."""


@dataclass(frozen=True)
class Encoded:
    """A case with its latent and the bytes of its image."""

    upload: CaseUpload
    image: bytes
    note: str


def encode_row(
    row: Row, known_digest: str | None, encoder: EncoderClient, bundle_version: str, pace: Callable[[], None]
) -> Encoded | Outcome:
    """Read and encode the image of `row` when `pace` lets it, unless `known_digest` says that it is stored already.

    Raises only what would befall every other image as well: `FATAL`.
    """
    try:
        image = row.image.read()
        digest = case_digest(image, row.case)
        if digest == known_digest:
            return Outcome(row.case.id, Kind.UNCHANGED, reason=row.note)
        pace()
        answer = encoder.encode(image, reconstruction=False)
    except FATAL:
        raise
    except CasekinError as error:
        return skipped(row.case.id, error)
    if answer.bundle_version != bundle_version:
        raise Conflict(f"the encoder changed from bundle {bundle_version} to {answer.bundle_version} meanwhile")
    return Encoded(CaseUpload(case=row.case, latent=answer.latent, digest=digest), image, row.note)


def skipped(case_id: str, error: CasekinError) -> Outcome:
    """The outcome of a case that `error` befell."""
    return Outcome(case_id, Kind.SKIPPED, error.code, error.detail)


class BugStop:
    """Stops an ingest that skips only because of bugs: `LIMIT` unexpected errors with nothing good between them."""

    LIMIT = 20

    def __init__(self) -> None:
        self._in_a_row = 0

    def watch(self, outcome: Outcome | Encoded) -> None:
        """Raise `Unexpected` when enough is enough."""
        bug = isinstance(outcome, Outcome) and outcome.code == Unexpected.code
        self._in_a_row = self._in_a_row + 1 if bug else 0
        if self._in_a_row >= self.LIMIT and isinstance(outcome, Outcome):
            raise Unexpected(f"{self.LIMIT} images in a row met an unexpected error, the last: {outcome.reason}")
