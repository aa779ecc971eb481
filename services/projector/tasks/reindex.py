"""``reindex``: encode the collection again for the index of another bundle, slowly enough that clinicians work on.

It reads through search what the index lacks, page by page, and starts again until nothing is missing: a job that was
stopped at any point continues where it was, and cases that are added meanwhile are encoded too.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from casekin.clients import EncoderClient, SearchClient
from casekin.contracts.base import BundleVersion, CaseId, ServiceUrl
from casekin.contracts.indexes import EncodedAnew, IndexFill, IndexLag
from casekin.contracts.reindex import Reindex, ReindexResult
from casekin.errors import BadInput, CasekinError, Conflict
from casekin.ingest.encoding import FATAL
from services.projector.jobs.progress import Report, Stage
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ReindexHandler(JobHandler[Reindex, ReindexResult]):
    """Submitted again it looks again: only cases that the index lacks are encoded."""

    payload, result, queue = Reindex, ReindexResult, "bulk"
    reuses_result = False
    summarises_work = True

    def limit_s(self, settings: ProjectorSettings) -> int:
        """Hours."""
        return settings.ingest_limit_s

    def prepare(self, payload: Reindex, tools: SubmissionTools) -> tuple[Reindex, list[str]]:
        """Name the encoder; raises `BadInput`."""
        url = encoder_for(payload.encoder_url, tools.next_encoder_url)
        return payload.model_copy(update={"encoder_url": url}), []

    def run(self, job: RunningJob[Reindex], tools: WorkerTools) -> ReindexResult:
        """Raises what would befall every further case."""
        assert job.payload.encoder_url is not None, "prepare() names the encoder"
        key = tools.settings.api_key.get_secret_value() if tools.settings.api_key else None
        with EncoderClient(job.payload.encoder_url, api_key=key) as encoder:
            return Reindexer(encoder, tools.write_search, tools.pace, job.report).run()


def encoder_for(requested: ServiceUrl | None, configured: ServiceUrl | None) -> ServiceUrl:
    """The encoder that images are sent to; raises `BadInput` where neither is given or `requested` is not allowed.

    A client that may submit jobs may not have the images of the collection sent to any address.
    """
    url = requested or configured
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
        """Encode what the index lacks until it lacks nothing; raises what would befall every further case."""
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
        """Page through the index's lag once; returns the cases that were missing when read, and the last page."""
        stage = Stage(self._report, 0.0, 1.0, lambda done, total: f"{done:,} of {total:,} cases", last=True)
        missing: set[CaseId] = set()
        after: CaseId | None = None
        while True:
            lag = self._search.lag(version, after)
            missing |= lag.cases.keys()
            self._fill(version, lag, stage)
            if lag.next is None:
                return missing, lag
            after = lag.next

    def _fill(self, version: BundleVersion, lag: IndexLag, stage: Stage) -> None:
        cases: list[EncodedAnew] = []
        for left, (case_id, digest) in zip(range(len(lag.cases), 0, -1), lag.cases.items(), strict=True):
            stage(lag.passed - left, lag.total)
            if case_id not in self._skipped and (encoded := self._encode(version, lag.source, case_id, digest)):
                cases.append(encoded)
        if cases:
            self._encoded += self._search.fill(version, IndexFill(source=lag.source, cases=cases)).stored
        stage(lag.passed, lag.total)

    def _encode(
        self, version: BundleVersion, source: BundleVersion, case_id: CaseId, digest: str
    ) -> EncodedAnew | None:
        """The case with its new latent; none where it cannot be encoded, or was deleted meanwhile."""
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
