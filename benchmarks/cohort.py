"""Random collections of any size for benchmarks: clustered latents, payloads in the proportions of HAM10000."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.bundle import EXAMPLE, BundleManifest
from casekin.contracts.cases import Case
from services.search.vector_store.port import StoredCase

DIMENSIONS = 32
CLUSTERS = 200
CASES_PER_LESION = 10_015 / 7_470
SHARES: dict[str, dict[str | None, float]] = {
    "diagnosis": {"nv": 66.9, "mel": 11.0, "bkl": 10.9, "bcc": 5.2, "akiec": 3.2, "vasc": 1.5, "df": 1.1},
    "evidence": {"histo": 53.3, "follow_up": 36.8, "consensus": 9.1, "confocal": 0.7},
    "sex": {"male": 54.2, "female": 45.2, None: 0.6},
    "site": {
        **{"back": 22.0, "lower extremity": 20.5, "trunk": 14.1, "upper extremity": 11.3, "abdomen": 10.1},
        **{"face": 7.5, "chest": 4.0, "foot": 3.3, None: 2.4, "neck": 1.6, "scalp": 1.2, "hand": 1.0, "ear": 0.6},
        "genital": 0.4,
    },
    "source": {"vidir_molemax": 39.4, "vidir_modern": 33.9, "rosendahl": 22.2, "vienna_dias": 4.5},
}
"""Per cent of HAM10000's table (Tschandl et al., Sci Data 5:180161, 2018)."""
EIGHT_PER_CENT = ("face", "ear")
"""Sites that 8.1 per cent of cases have."""


@dataclass(frozen=True)
class Cohort:
    """Cases by column."""

    x: NDArray[np.float32]
    """[N,D], standardised"""
    columns: dict[str, NDArray[np.object_]]
    ages: NDArray[np.float64]
    lesions: NDArray[np.int64]
    centres: NDArray[np.float64]
    scale: NDArray[np.float64]

    def stored(self, size: int) -> Iterator[list[StoredCase]]:
        """Yield all cases in batches of `size`."""
        for start in range(0, len(self.x), size):
            yield [self._case(row) for row in range(start, min(start + size, len(self.x)))]

    def queries(self, count: int, seed: int) -> NDArray[np.float64]:
        """Return queries [count,D] from the same clusters."""
        rng = np.random.default_rng(seed)
        return np.asarray(_points(rng, self.centres, count) / self.scale)

    def _case(self, row: int) -> StoredCase:
        described = {name: values[row] for name, values in self.columns.items()}
        case = Case(id=f"C{row:07d}", lesion_id=f"L{self.lesions[row]}", age=float(self.ages[row]), **described)
        digest = hashlib.sha256(case.id.encode()).hexdigest()
        return StoredCase(case, self.x[row], digest, digest[:32])


def cohort(count: int, seed: int = 7) -> Cohort:
    """Return `count` cases, equal at every call."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=1.5, size=(CLUSTERS, DIMENSIONS))
    points = _points(rng, centres, count)
    scale = points.std(0)
    columns = {
        name: rng.choice(
            np.array(list(shares), object), count, p=np.array(list(shares.values())) / sum(shares.values())
        )
        for name, shares in SHARES.items()
    }
    ages = np.clip(rng.normal(52, 17, count) // 5 * 5, 0, 85)
    lesions = np.sort(rng.integers(0, round(count / CASES_PER_LESION), count))
    return Cohort((points / scale).astype(np.float32), columns, ages, lesions, centres, scale)


def clinical_weights() -> NDArray[np.float64]:
    """Return weights [D] of mean 1, as uneven as learned ones."""
    weights = np.random.default_rng(11).gamma(1.0, size=DIMENSIONS)
    return np.asarray(weights / weights.mean())


def cohort_manifest() -> BundleManifest:
    """Return the manifest of a bundle with these dimensions; search does not need its graphs."""
    dimension = BundleManifest.model_validate(EXAMPLE).dimensions[0]
    return BundleManifest.model_validate(
        EXAMPLE
        | {
            "version": "cohort-1",
            "created": datetime(2026, 11, 22, tzinfo=UTC),
            "clinical_weights": clinical_weights().tolist(),
            "dimensions": [dimension.model_copy(update={"index": i}).model_dump() for i in range(DIMENSIONS)],
        }
    )


def _points(rng: np.random.Generator, centres: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.asarray(centres[rng.integers(0, len(centres), count)] + rng.normal(size=(count, centres.shape[1])))
