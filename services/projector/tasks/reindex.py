"""Encodes the collection anew for the index of another bundle, slowly enough that clinicians do not feel it.

It reads through search what the index lacks, page by page, and looks again from the start until nothing new has come:
what was stopped at any point goes on where it was, and what is added meanwhile is brought in too.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from casekin.clients import EncoderClient, SearchClient
from casekin.contracts.base import BundleVersion, CaseId, ServiceUrl
from casekin.contracts.indexes import EncodedAnew, IndexFill, IndexLag
from casekin.contracts.reindex import ReindexResult
from casekin.errors import BadInput, CasekinError, Conflict
from casekin.ingest.encoding import FATAL
from services.projector.jobs.progress import Report, Stage

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def encoder_for(asked: ServiceUrl | None, configured: ServiceUrl | None) -> ServiceUrl:
    """Where images are sent to be encoded anew; raises `BadInput` where neither is given or `asked` is a stranger.

    Who may ask for jobs may not have the images of the collection sent to any address.
    """
    url = asked or configured
    if url is None:
        raise BadInput("name the encoder with the new bundle, or set CASEKIN_NEXT_ENCODER_URL")
    if url != configured and urlsplit(url).hostname not in LOOPBACK:
        raise BadInput(f"images go to an encoder on this machine or that of CASEKIN_NEXT_ENCODER_URL, not to {url}")
    return url


class Reindexer:
    """One run from one encoder into the index of its bundle."""

    def __init__(self, encoder: EncoderClient, search: SearchClient, pace: Callable[[], None], report: Report) -> None:
        self._encoder, self._search, self._pace, self._report = encoder, search, pace, report
        self._skipped: dict[CaseId, str] = {}
        self._encoded = 0

    def run(self) -> ReindexResult:
        """Bring in what the index lacks until it lacks nothing; raises what would befall every further case."""
        manifest = self._encoder.model().manifest
        self._search.add_index(manifest)
        lacking, last = self._pass(manifest.version)
        while lacking - self._skipped.keys():
            lacking, last = self._pass(manifest.version)
        return ReindexResult(
            bundle_version=manifest.version,
            source=last.source,
            cases=last.total,
            encoded=self._encoded,
            skipped={case_id: self._skipped[case_id] for case_id in sorted(lacking)},
        )

    def _pass(self, version: BundleVersion) -> tuple[set[CaseId], IndexLag]:
        """Look at every case once; returns those that lacked, though most do no longer, and the last page."""
        stage = Stage(self._report, 0.0, 1.0, lambda done, total: f"{done:,} of {total:,} cases", last=True)
        lacked: set[CaseId] = set()
        after: CaseId | None = None
        while True:
            lag = self._search.lag(version, after)
            lacked |= lag.cases.keys()
            self._bring(version, lag, stage)
            if lag.next is None:
                return lacked, lag
            after = lag.next

    def _bring(self, version: BundleVersion, lag: IndexLag, stage: Stage) -> None:
        cases: list[EncodedAnew] = []
        for left, (case_id, digest) in zip(range(len(lag.cases), 0, -1), lag.cases.items(), strict=True):
            stage(lag.passed - left, lag.total)
            if case_id not in self._skipped and (anew := self._anew(version, lag.source, case_id, digest)):
                cases.append(anew)
        if cases:
            self._encoded += self._search.fill(version, IndexFill(source=lag.source, cases=cases)).stored
        stage(lag.passed, lag.total)

    def _anew(self, version: BundleVersion, source: BundleVersion, case_id: CaseId, digest: str) -> EncodedAnew | None:
        """The case with its new latent; none where it cannot be had, for it may have been deleted meanwhile."""
        self._pace()
        try:
            answer = self._encoder.encode(self._search.image_in(source, case_id), reconstruction=False)
        except FATAL:
            raise
        except CasekinError as error:
            self._skipped[case_id] = error.code
            return None
        if answer.bundle_version != version:
            raise Conflict(f"the encoder changed from bundle {version} to {answer.bundle_version} meanwhile")
        return EncodedAnew(id=case_id, digest=digest, latent=answer.latent)
