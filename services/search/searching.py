"""The search itself: from a request to matches and what they say together."""

from functools import partial

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.search import FACETED, Facets, FacetValue, Filters, SearchRequest, SearchResponse
from services.search.census import Census, CensusTaker
from services.search.conditions import ANY_AGE, conditions
from services.search.description import Description
from services.search.index import CaseIndex, Condition, NoneOf
from services.search.matches import Similarity, to_matches
from services.search.ranking import nearest
from services.search.reading import CaseReader
from services.search.statistics import neighbour_statistics
from services.search.weighing import check_latent, check_version, metric_for


class Searcher:
    """Nearest cases and facets of one collection."""

    def __init__(self, index: CaseIndex, manifest: BundleManifest, description: Description) -> None:
        self._index = index
        self._manifest = manifest
        self._description = description
        self._similarity = Similarity(manifest)
        self._census = CensusTaker(index)
        self._reader = CaseReader(index)

    def census(self) -> Census:
        """What holds for the whole collection now."""
        return self._census.now()

    def search(self, request: SearchRequest) -> SearchResponse:
        """The nearest cases; raises `WrongLatent`, `WrongWeights`, `BadInput`."""
        check_version(self._manifest, request.bundle_version)
        q = check_latent(self._manifest, request.latent)
        metric = metric_for(self._manifest, request)
        census = self._census.now()
        asked = census.checked(request.filters, self._description.vocabulary())
        others: tuple[Condition, ...] = ()
        if request.exclude_lesion is not None:
            others = (NoneOf("lesion_id", (request.exclude_lesion,)),)
        read = partial(self._reader.read, census.revision)
        ranked = nearest(self._index, read, metric, q, asked + others, request.k, one_per_lesion=request.one_per_lesion)
        matches = to_matches(ranked, metric, self._similarity)
        return SearchResponse(
            matches=matches,
            statistics=neighbour_statistics(matches, census.values["diagnosis"]),
            passing=census.passing(asked),
            revision=census.revision,
        )

    def facets(self, filters: Filters) -> Facets:
        """Counts by value; those of a field ignore the filter's own condition on it."""
        census = self._census.now()
        asked = census.checked(filters, self._description.vocabulary())
        ages = census.ages
        return Facets(
            fields={name: self._field(census, filters, name) for name in FACETED},
            age_min=ages[0] if ages else None,
            age_max=ages[1] if ages else None,
            age_unknown=self._age_unknown(census, filters),
            passing=census.passing(asked),
        )

    def _field(self, census: Census, filters: Filters, name: str) -> list[FacetValue]:
        """Every value of the collection, also those that no case has under the filter: they can still be chosen."""
        others = conditions(filters, without=name)
        whole = census.values[name]
        counts = dict.fromkeys(whole, 0) | self._index.facet(name, others) if others else whole
        values = [FacetValue(value=value, count=count) for value, count in counts.items()]
        if unknown := census.passing(others) - sum(counts.values()):
            values.append(FacetValue(value=None, count=unknown))
        return sorted(values, key=lambda one: (-one.count, one.value is None, one.value or ""))

    def _age_unknown(self, census: Census, filters: Filters) -> int:
        others = conditions(filters, without="age")
        return census.passing(others) - census.passing((*others, ANY_AGE))
