"""A collection in memory that answers the search routes the projector asks, by contract.

It lets a test change the collection, its version or its speed at a moment's notice, which the real service would not.
"""

import hashlib
import time
from dataclasses import dataclass, field

import numpy as np
from fastapi import FastAPI

from casekin.contracts.cases import Case, DigestQuery, Digests, LatentPage
from casekin.contracts.collection import Collection, CollectionInfo
from casekin.errors import Unavailable
from casekin.service.problems import install_problems

WEIGHTS = {"visual": np.ones(4), "clinical": np.array([0.5, 1.0, 1.0, 1.5])}


@dataclass
class SmallCollection:
    latents: np.ndarray
    version: str = "tiny-1"
    edition: int = 1
    latents_delay_s: float = 0.0
    """Before the first page."""
    away: bool = False
    """Whether latents are refused as by a service that is starting."""
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def cases(self) -> list[Case]:
        return [
            Case(id=f"C{row:05d}", diagnosis="nv" if row % 3 else "mel", lesion_id=f"L{row // 2}")
            for row in range(len(self.latents))
        ]

    @property
    def revision(self) -> str:
        return f"{len(self.latents)}-{self.edition}"

    def digest(self, case_id: str) -> str:
        return hashlib.sha256(case_id.encode()).hexdigest()

    def count(self, what: str) -> None:
        self.asked[what] = self.asked.get(what, 0) + 1


def clusters(cases: int, *, seed: int = 3, dimensions: int = 4) -> np.ndarray:
    """Three clusters, one after the other by row."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 6, (3, dimensions))
    return centres[np.arange(cases) * 3 // max(cases, 1)] + rng.normal(0, 0.5, (cases, dimensions))


def create_small_search(held: SmallCollection) -> FastAPI:
    app = FastAPI()
    install_problems(app)

    @app.get("/v1/collection")
    def collection() -> Collection:
        held.count("collection")
        return Collection(
            info=CollectionInfo(title="Small"),
            bundle_version=held.version,
            cases=len(held.latents),
            lesions=len(held.latents),
            revision=held.revision,
        )

    @app.post("/v1/cases/digests")
    def digests(query: DigestQuery) -> Digests:
        stored = {case.id for case in held.cases}
        return Digests(digests={case_id: held.digest(case_id) for case_id in query.ids if case_id in stored})

    @app.get("/v1/latents")
    def latents(limit: int, after: str | None = None) -> LatentPage:
        held.count("latents")
        if held.away:
            raise Unavailable("latents are away")
        if after is None:
            time.sleep(held.latents_delay_s)
        cases = held.cases
        first = 0 if after is None else next(row for row, case in enumerate(cases) if case.id > after)
        page = slice(first, first + min(limit, max(20, len(cases) // 8)))
        return LatentPage(
            bundle_version=held.version,
            cases=cases[page],
            latents=held.latents[page].tolist(),
            next=cases[page][-1].id if page.stop < len(cases) else None,
        )

    return app
