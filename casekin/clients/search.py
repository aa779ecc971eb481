"""Client of the search service."""

from collections.abc import Iterator, Mapping

from casekin.clients.http import ServiceClient
from casekin.contracts.base import BundleVersion, CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.cases import Case, CaseBatch, CaseBatchReceipt, Deletion, DigestQuery, Digests, LatentPage
from casekin.contracts.collection import Collection, CollectionInfo
from casekin.contracts.conditions import Filters
from casekin.contracts.facets import FacetQuery, Facets
from casekin.contracts.indexes import (
    Index,
    IndexFill,
    IndexFilled,
    IndexLag,
    IndexList,
    Switch,
    Switched,
)
from casekin.contracts.paths import quoted, url_segment
from casekin.contracts.search import SearchRequest, SearchResponse
from casekin.contracts.snapshots import Snapshot, SnapshotList, SnapshotName


class SearchClient(ServiceClient):
    """Cases, filters, nearest neighbours."""

    service = "search"

    def search(self, request: SearchRequest) -> SearchResponse:
        """The nearest cases."""
        return self._send("POST", SearchResponse, "/v1/search", request)

    def facets(self, filters: Filters) -> Facets:
        """Counts by value under `filters`."""
        return self._send("POST", Facets, "/v1/facets", FacetQuery(filters=filters))

    def case(self, case_id: CaseId) -> Case:
        """The metadata of one case."""
        return self._get(Case, f"/v1/cases/{url_segment(case_id)}")

    def image(self, case_id: CaseId, *, user: str | None = None) -> tuple[bytes, str]:
        """The image of one case as ingested, and its media type; audited under `user`."""
        response = self._call("GET", f"/v1/cases/{url_segment(case_id)}/image", user=user)
        return response.content, response.headers["content-type"]

    def thumbnail(self, case_id: CaseId, *, user: str | None = None) -> tuple[bytes, str]:
        """The thumbnail of one case and its media type; audited under `user`."""
        response = self._call("GET", f"/v1/cases/{url_segment(case_id)}/thumbnail", user=user)
        return response.content, response.headers["content-type"]

    def collection(self) -> Collection:
        """What the collection is and how large."""
        return self._get(Collection, "/v1/collection")

    def describe_collection(self, info: CollectionInfo) -> Collection:
        """Set title, licence and vocabulary."""
        return self._send("PUT", Collection, "/v1/collection", info)

    def digests(self, ids: list[CaseId]) -> dict[CaseId, str]:
        """The digests of those of `ids` that are stored."""
        return self._send("POST", Digests, "/v1/cases/digests", DigestQuery(ids=ids)).digests

    def put_cases(self, batch: CaseBatch, images: Mapping[CaseId, bytes]) -> CaseBatchReceipt:
        """Store a batch with its images; returns when it is durable."""
        files = [("images", (quoted(case_id), data, "application/octet-stream")) for case_id, data in images.items()]
        data = {"batch": batch.model_dump_json()}
        response = self._call("PUT", "/v1/cases", data=data, files=files)
        return self._parsed(CaseBatchReceipt, response)

    def delete_case(self, case_id: CaseId, *, user: str | None = None) -> Deletion:
        """Delete a case with its images for good; audited under `user`."""
        path = f"/v1/cases/{url_segment(case_id)}"
        return self._send("DELETE", Deletion, path, user=user)

    def delete_lesion(self, lesion_id: str, *, user: str | None = None) -> Deletion:
        """Delete all cases of a lesion with their images for good; audited under `user`."""
        path = f"/v1/lesions/{url_segment(lesion_id)}"
        return self._send("DELETE", Deletion, path, user=user)

    def latents(self, page_size: int = 2000) -> Iterator[LatentPage]:
        """All cases with their latents, page by page in the order of their ids."""
        after: CaseId | None = None
        while True:
            params: dict[str, str | int] = {"limit": page_size} | ({"after": after} if after else {})
            page = self._get(LatentPage, "/v1/latents", params=params)
            yield page
            if page.next is None:
                return
            after = page.next

    def indexes(self) -> list[Index]:
        """Every index: the live one, then those that were live, the last one first, then others."""
        return self._get(IndexList, "/v1/indexes").indexes

    def add_index(self, manifest: BundleManifest) -> Index:
        """Make an empty index for a bundle beside the others; one that is there stays as it is."""
        return self._send("PUT", Index, f"/v1/indexes/{manifest.version}", manifest)

    def lag(self, version: BundleVersion, after: CaseId | None) -> IndexLag:
        """The first cases after `after` that an index does not have yet; raises `NotFound`, `Conflict`."""
        params = {"after": after} if after else {}
        return self._get(IndexLag, f"/v1/indexes/{version}/lag", params=params)

    def fill(self, version: BundleVersion, filled: IndexFill) -> IndexFilled:
        """Take cases over into an index with new latents; returns when they are durable."""
        return self._send("PUT", IndexFilled, f"/v1/indexes/{version}/latents", filled)

    def image_in(self, version: BundleVersion, case_id: CaseId) -> bytes:
        """The image of one case as an index has it; raises `NotFound`."""
        return self._call("GET", f"/v1/indexes/{version}/cases/{url_segment(case_id)}/image").content

    def switch(self, switch: Switch) -> Switched:
        """Make an index live; raises `Conflict` where it lags behind and that was not allowed, `NotFound`."""
        return self._send("PUT", Switched, "/v1/collection/index", switch)

    def delete_index(self, version: BundleVersion, *, user: str | None = None) -> list[Index]:
        """Delete an index that is not live, for good; raises `Conflict`, `NotFound`. Returns those that are left."""
        return self._send("DELETE", IndexList, f"/v1/indexes/{version}", user=user).indexes

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, by name."""
        return self._get(SnapshotList, "/v1/snapshots").snapshots

    def take_snapshot(self, name: SnapshotName, *, user: str | None = None) -> Snapshot:
        """Keep the collection as it is now; raises `Conflict` where there is such a snapshot."""
        return self._send("PUT", Snapshot, f"/v1/snapshots/{name}", user=user)

    def restore_snapshot(self, name: SnapshotName, *, user: str | None = None) -> Snapshot:
        """Make the collection what it was; raises `NotFound`."""
        return self._send("POST", Snapshot, f"/v1/snapshots/{name}/restore", user=user)

    def delete_snapshot(self, name: SnapshotName, *, user: str | None = None) -> list[Snapshot]:
        """Delete a snapshot for good; raises `NotFound`. Returns those that are left."""
        return self._send("DELETE", SnapshotList, f"/v1/snapshots/{name}", user=user).snapshots
