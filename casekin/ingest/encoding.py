"""Encode one row into a case ready to store, or into the outcome that makes storing needless or impossible."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from casekin.clients import EncoderClient
from casekin.collections import Row
from casekin.contracts.cases import Case, CaseUpload
from casekin.errors import CasekinError, Conflict, StorageFull, Unauthorized, Unavailable, Unexpected
from casekin.ingest.outcome import Kind, Outcome

FATAL = (Unauthorized, Unavailable, StorageFull, Conflict)
"""Errors that would meet every further image, too."""


def case_digest(image: bytes, case: Case) -> str:
    """sha256 over the metadata as canonical JSON and the bytes of the image, in hex: equal ones need no second ingest.

    The metadata hold no NUL byte, so the two cannot run into each other. The bundle is no part of it: each has an index
    of its own, and one that was filled from another knows the cases of both.
    """
    # without a collection as before there was that field, so that what was stored then is known
    fields = case.model_dump(exclude={"collection"} if case.collection is None else None)
    metadata = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(f"{metadata}\0".encode())
    digest.update(image)
    return digest.hexdigest()


@dataclass(frozen=True)
class Encoded:
    """A case with its latent and the bytes of its image."""

    upload: CaseUpload
    image: bytes
    note: str


def encode_row(
    row: Row, known_digest: str | None, encoder: EncoderClient, bundle_version: str, pace: Callable[[], None]
) -> Encoded | Outcome:
    """Read the image of `row` and encode it once `pace` returns, unless `known_digest` shows that it is stored already.

    Raises only `FATAL` errors; any other becomes a skipped outcome.
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
        raise Conflict(f"the encoder changed from bundle {bundle_version} to {answer.bundle_version} during the ingest")
    return Encoded(CaseUpload(case=row.case, latent=answer.latent, digest=digest), image, row.note)


def skipped(case_id: str, error: CasekinError) -> Outcome:
    """The outcome of a case that failed with `error`."""
    return Outcome(case_id, Kind.SKIPPED, error.code, error.detail)


class BugStop:
    """Stops an ingest that skips only because of bugs: `LIMIT` unexpected errors with nothing good between them."""

    LIMIT = 20

    def __init__(self) -> None:
        self._in_a_row = 0

    def watch(self, outcome: Outcome | Encoded) -> None:
        """Count `outcome`; raise `Unexpected` at the limit."""
        bug = isinstance(outcome, Outcome) and outcome.code == Unexpected.code
        self._in_a_row = self._in_a_row + 1 if bug else 0
        if self._in_a_row >= self.LIMIT and isinstance(outcome, Outcome):
            raise Unexpected(f"{self.LIMIT} images in a row met an unexpected error, the last: {outcome.reason}")
