"""Small collections made up for tests: cases, latents, images, manifests."""

import functools
import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.cases import Case, CaseBatch, CaseUpload
from services.search.vector_store.port import StoredCase

CLINICAL = np.array([0.5, 1.0, 1.0, 1.5])
"""As in the tiny bundle; exact in binary, and so are its square roots' squares to within rounding."""
DIAGNOSES = ["nv"] * 7 + ["mel", "bkl", "bcc"]


def manifest(version: str = "made-1", clinical: Sequence[float] = tuple(CLINICAL)) -> BundleManifest:
    example: Any = BundleManifest.model_config["json_schema_extra"]
    dimension = example["example"]["dimensions"][0]
    made = {
        **example["example"],
        "version": version,
        "created": datetime(2026, 11, 22, tzinfo=UTC),
        "clinical_weights": list(clinical),
        "dimensions": [{**dimension, "index": i} for i in range(len(clinical))],
    }
    return BundleManifest.model_validate(made)


def stored(case_id: str, latent: Sequence[float], image: str | None = None, **fields: Any) -> StoredCase:
    """Without `image` it has a picture of its own."""
    image = image or hashlib.sha256(case_id.encode()).hexdigest()[:32]
    digest = hashlib.sha256(f"{case_id}{list(latent)}{fields}".encode()).hexdigest()
    return StoredCase(Case(id=case_id, **fields), np.array(latent, np.float32), digest, image)


def collection(count: int, D: int = 4, seed: int = 0) -> list[StoredCase]:
    """Cases of HAM10000's kind: siblings of a lesion, unknown ages, sexes and sites."""
    rng = np.random.default_rng(seed)
    return [
        stored(
            f"ISIC_{i:07d}",
            rng.normal(size=D).tolist(),
            lesion_id=f"HAM_{i * 2 // 3:07d}" if i % 11 else None,
            diagnosis=str(rng.choice(DIAGNOSES)),
            evidence=["histo", "follow_up"][i % 2],
            age=float(rng.integers(0, 18) * 5) if i % 9 else None,
            sex=[None, "female", "male"][i % 3],
            site=["back", "face", "hand", None][i % 4],
            source="made",
        )
        for i in range(count)
    ]


@functools.cache
def image(case_id: str, size: tuple[int, int] = (96, 72)) -> bytes:
    seed = int.from_bytes(hashlib.sha256(case_id.encode()).digest()[:4], "big")
    pixels = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def batch(cases: Sequence[StoredCase], version: str = "made-1") -> tuple[CaseBatch, dict[str, bytes]]:
    uploads = [CaseUpload(case=one.case, latent=one.latent.tolist(), digest=one.digest) for one in cases]
    return CaseBatch(bundle_version=version, cases=uploads), {one.case.id: image(one.case.id) for one in cases}


def latents(cases: Sequence[StoredCase]) -> NDArray[np.float64]:
    return np.array([one.latent for one in cases], np.float64)
