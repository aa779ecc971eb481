"""Tells whether a case has to be ingested again."""

import hashlib
import json

from casekin.contracts.search import Case


def case_digest(image: bytes, case: Case) -> str:
    """sha256 over the metadata as canonical JSON and the bytes of the image, in hex.

    The metadata hold no NUL byte, so the two cannot run into each other. The bundle is no part of it: each has an index
    of its own, and one that was filled from another knows the cases of both.
    """
    metadata = json.dumps(case.model_dump(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(f"{metadata}\0".encode())
    digest.update(image)
    return digest.hexdigest()
