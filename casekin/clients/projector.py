"""Client of the projector service."""

import time
from collections.abc import Iterator
from typing import BinaryIO

from casekin.clients.http import C, ServiceClient
from casekin.contracts.base import CaseId, Contract
from casekin.contracts.maps import CaseMap, CurrentMap, MapId, MapVersion, MapVersions
from casekin.contracts.names import DimensionNames, NameChange, NameHistory, Renaming
from casekin.contracts.projector import LONGEST_WAIT_S, Job, JobList, JobState, PurgeRequest, PurgeResult
from casekin.errors import ERRORS, Conflict, Unavailable, Unexpected


class ProjectorClient(ServiceClient):
    """Jobs and the map."""

    service = "projector"

    def submit(self, payload: Contract) -> Job:
        """Submit a job of the payload's `kind`; the same payload on the same collection and model is the same job."""
        return self._send("POST", Job, "/v1/jobs", payload)

    def job(self, job_id: str, *, wait_s: float = 0) -> Job:
        """How far it is: at once, or as soon as it is final, after `wait_s` seconds at the latest."""
        return self._get(Job, f"/v1/jobs/{job_id}", params={"wait_s": wait_s} if wait_s else {})

    def recent(self, limit: int = 50, state: JobState | None = None) -> list[Job]:
        """The latest jobs, newest first; only those of a `state`, if one is given."""
        params = {"limit": limit} | ({"state": state.value} if state else {})
        return self._get(JobList, "/v1/jobs", params=params).jobs

    def cancel(self, job_id: str) -> Job:
        """Ask it to stop, or let a parked one go; a finished job stays as it is."""
        return self._send("DELETE", Job, f"/v1/jobs/{job_id}")

    def result(self, job_id: str, kind: type[C]) -> C:
        """The result of a succeeded job; raises `Conflict` before, `Gone` after it expired."""
        return self._get(kind, f"/v1/jobs/{job_id}/result")

    def file(self, job_id: str) -> tuple[bytes, str]:
        """The file that goes with the result, and its media type; raises `NotFound` where there is none."""
        response = self._call("GET", f"/v1/jobs/{job_id}/file")
        return response.content, response.headers["content-type"]

    def save_file(self, job_id: str, sink: BinaryIO) -> None:
        """Write that file to `sink` as it comes; raises likewise."""
        self._download(f"/v1/jobs/{job_id}/file", sink)

    def purge(self, ids: list[CaseId], *, user: str | None = None) -> PurgeResult:
        """Remove deleted cases from cached latents, kept maps and results, 4,096 at a time at most.

        Raises `Conflict` while search still has one of them.
        """
        return self._send("POST", PurgeResult, "/v1/cases/purge", PurgeRequest(ids=ids), user=user)

    def names(self) -> DimensionNames:
        """The name of each dimension of the bundle in use."""
        return self._get(DimensionNames, "/v1/dimensions")

    def name_history(self, dimension: int) -> NameHistory:
        """Who named it what, and when; raises `NotFound`."""
        return self._get(NameHistory, f"/v1/dimensions/{dimension}/history")

    def rename(self, dimension: int, name: str, *, user: str | None = None) -> NameChange:
        """Give a dimension a name, under `user`; raises `BadInput` where another one has it."""
        path, body = f"/v1/dimensions/{dimension}/name", Renaming(name=name)
        return self._send("PUT", NameChange, path, body, user=user)

    def undo_name(self, dimension: int, name: str, *, user: str | None = None) -> NameChange:
        """Undo `name`, which restores the previous one; raises `Conflict` where it is not the current name."""
        return self._send("POST", NameChange, f"/v1/dimensions/{dimension}/undo", Renaming(name=name), user=user)

    def current_map(self) -> CaseMap:
        """The current map; raises `NotFound` where there is none."""
        return self._get(CaseMap, "/v1/maps/current")

    def maps(self) -> MapVersions:
        """The kept maps with their quality, newest first."""
        return self._get(MapVersions, "/v1/maps")

    def map(self, map_id: MapId) -> CaseMap:
        """One kept map; raises `NotFound`."""
        return self._get(CaseMap, f"/v1/maps/{map_id}")

    def make_current(self, map_id: MapId) -> MapVersion:
        """Make a kept map the current one again; raises `NotFound`."""
        return self._send("PUT", MapVersion, "/v1/maps/current", CurrentMap(id=map_id))

    def follow(self, job: Job) -> Iterator[Job]:
        """The job at each change until it is final, by server-sent events; reconnects where the stream breaks off."""
        while not job.state.final:
            for line in self._lines(f"/v1/jobs/{job.id}/events"):
                if line.startswith("data: "):
                    job = Job.model_validate_json(line.removeprefix("data: "))
                    yield job
            if not job.state.final:
                time.sleep(0.2)
                job = self.job(job.id)
                yield job

    def wait(self, job: Job, kind: type[C], *, timeout_s: float) -> C:
        """The result of `job` once it is final, or raises what failed it; `Unavailable` where that takes longer."""
        deadline = time.monotonic() + timeout_s
        while not job.state.final:
            if (left := deadline - time.monotonic()) <= 0:
                raise Unavailable(f"job {job.id} ({job.kind}) is still {job.state} after {timeout_s:g} s")
            job = self.job(job.id, wait_s=min(left, LONGEST_WAIT_S))
        if job.state is JobState.SUCCEEDED:
            return self.result(job.id, kind)
        if job.problem is not None:
            raise ERRORS.get(job.problem.code, Unexpected)(job.problem.detail)
        raise Conflict(f"job {job.id} ({job.kind}) was {job.state}")
