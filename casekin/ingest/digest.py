"""Tells whether a case has to be ingested again."""

import hashlib
import json

from casekin.contracts.search import Case


def case_digest(image: bytes, case: Case, bundle_version: str) -> str:
    """sha256 over the bundle's version, the metadata as canonical JSON and the bytes of the image, in hex.

    The first two hold no NUL byte, so the parts cannot run into each other.
    """
    metadata = json.dumps(case.model_dump(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(f"{bundle_version}\0{metadata}\0".encode())
    digest.update(image)
    return digest.hexdigest()
