"""A collection in memory that answers the three search routes the projector asks, exactly and by contract.

It lets a test change the collection, its version or its speed at a moment's notice, which the real service would not.
"""

import time
from dataclasses import dataclass, field

import numpy as np
from fastapi import FastAPI

from casekin.contracts.neighbours import NeighbourStatistics
from casekin.contracts.search import (
    Case,
    Collection,
    CollectionInfo,
    LatentPage,
    Match,
    SearchRequest,
    SearchResponse,
)
from casekin.errors import WrongLatent
from casekin.service.problems import install_problems

WEIGHTS = {"visual": np.ones(4), "clinical": np.array([0.5, 1.0, 1.0, 1.5])}


@dataclass
class SmallCollection:
    latents: np.ndarray
    version: str = "tiny-1"
    edition: int = 1
    search_delay_s: float = 0.0
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def cases(self) -> list[Case]:
        return [Case(id=f"C{row:05d}", diagnosis="nv" if row % 3 else "mel") for row in range(len(self.latents))]

    @property
    def revision(self) -> str:
        return f"{len(self.latents)}-{self.edition}"

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

    @app.get("/v1/latents")
    def latents(limit: int, after: str | None = None) -> LatentPage:
        held.count("latents")
        cases = held.cases
        first = 0 if after is None else next(row for row, case in enumerate(cases) if case.id > after)
        page = slice(first, first + min(limit, max(20, len(cases) // 8)))
        return LatentPage(
            bundle_version=held.version,
            cases=cases[page],
            latents=held.latents[page].tolist(),
            next=cases[page][-1].id if page.stop < len(cases) else None,
        )

    @app.post("/v1/search")
    def search(request: SearchRequest) -> SearchResponse:
        held.count("search")
        time.sleep(held.search_delay_s)
        [latent] = request.latents
        if len(latent) != held.latents.shape[1]:
            raise WrongLatent(f"{len(latent)} numbers; the collection has {held.latents.shape[1]} dimensions")
        weights = WEIGHTS[request.preset]
        squared = ((held.latents - latent) ** 2 * weights).sum(1)
        nearest = np.argsort(squared, kind="stable")[: request.k]
        cases = held.cases
        matches = [
            Match(case=cases[row], distance=float(np.sqrt(squared[row])), similarity=0.5, contributions=[0.25] * 4)
            for row in nearest
        ]
        statistics = NeighbourStatistics(
            neighbours=len(matches),
            diagnoses=[],
            agreement=0,
            conformal=None,
            strangeness=None,
            uncalibrated="not computed here",
        )
        return SearchResponse(
            matches=matches,
            statistics=statistics,
            passing=len(cases),
            revision=held.revision,
            more=len(cases) > request.k,
            own=[],
            excluded_by=[],
        )

    return app
