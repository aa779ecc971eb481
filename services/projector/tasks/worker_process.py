"""Composition root of a worker: Celery's parent process and its children."""

import logging
import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from celery.signals import setup_logging, worker_process_init

from casekin.clients import EncoderClient, SearchClient
from casekin.errors import CasekinError
from casekin.service.logs import configure_logs
from services.projector.jobs.broker import create_celery
from services.projector.jobs.heartbeat import Heartbeat, connect
from services.projector.jobs.kinds import Queue
from services.projector.jobs.store import JobStore
from services.projector.jobs.worker_leases import lease_aware_request, lease_step
from services.projector.latents.collection_latents import CollectionReader
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.projection.map_cache import MapCache
from services.projector.projection.map_store import MapStore
from services.projector.projection.umap_layout import warm_up
from services.projector.settings import ProjectorSettings
from services.projector.storage.deletion_mark import DeletionMark
from services.projector.storage.job_results import JobResults
from services.projector.tasks.dispatch import JobRunner, register
from services.projector.tasks.handler import AnyHandler, WorkerTools
from services.projector.tasks.ingest import Pace
from services.projector.tasks.registry import HANDLERS, job_kinds

log = structlog.get_logger("projector")
_NICENESS = 10
"""Of fits and ingests: beside a click they get a tenth of a core."""
FORGET_S = 20.0
"""How long an idle worker process may keep a deleted case in memory."""


def run_worker(settings: ProjectorSettings, queues: Sequence[Queue], handlers: Sequence[AnyHandler] = HANDLERS) -> int:
    """Work on `queues` until stopped; returns the exit status."""
    redis = connect(settings.redis_url)
    store, heartbeat = JobStore(redis, settings), Heartbeat(redis, settings.lease_s)
    kinds = job_kinds(handlers, settings)
    app = create_celery(settings, kinds)
    runner = cache(lambda: make_runner(settings))  # made in each child: connections do not survive a fork
    register(app, handlers, kinds, runner, lease_aware_request(store, kinds))
    app.steps["consumer"].add(lease_step(store, heartbeat, queues, socket.gethostname(), settings.lease_s / 6))

    def logs(**_: Any) -> None:
        configure_logs(settings.log_level)
        for chatty in ("celery.worker.strategy", "celery.app.trace"):  # the job line says it
            logging.getLogger(chatty).setLevel(logging.WARNING)

    def child(**_: Any) -> None:
        _prepare(queues, runner())

    if "interactive" in queues:
        _import_for_clicks()
    setup_logging.connect(logs, weak=False)
    worker_process_init.connect(child, weak=False)
    worker = app.Worker(
        hostname=f"{'-'.join(queues)}@{socket.gethostname()}",
        queues=list(queues),
        pool="prefork",  # a child can be killed: by its time limit, by a cancel
        concurrency=settings.interactive_processes if "interactive" in queues else 1,
        optimization="fair",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def make_runner(settings: ProjectorSettings) -> JobRunner:
    """What runs the jobs of one process."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    maps, deletions = MapStore(settings.folder, settings.maps_kept), DeletionMark(settings.folder)
    encoder = EncoderClient(settings.encoder_url, api_key=key)
    search = SearchClient(settings.search_url, api_key=key)
    reader = CollectionReader(settings.folder, search, deletions)
    tools = WorkerTools(
        settings=settings,
        search=search,
        write_search=SearchClient(settings.search_url, api_key=key, timeout_s=120),
        encoder=encoder,
        reader=reader,
        maps=maps,
        map_cache=MapCache(maps, reader, ManifestCache(encoder)),
        pace=Pace(settings.ingest_rate),
    )
    store = JobStore(connect(settings.redis_url), settings)
    return JobRunner(store, JobResults(settings.folder, settings.result_lifetime_s), deletions, tools)


def _import_for_clicks() -> None:
    """Import before the fork what the first jobs would import: seconds that the children then share."""
    import sklearn.neighbors  # noqa: F401, PLC0415


def _prepare(queues: Sequence[Queue], runner: JobRunner) -> None:
    """Pay for the slow first time before the first job comes."""
    tools = runner.tools
    if "interactive" not in queues:
        _lower_priority()
    if "maps" in queues:
        warm_up()
    if "interactive" in queues and (current := tools.maps.current_id()):
        with suppress(CasekinError):  # the first job says it
            tools.map_cache.placement_map(current)
    threading.Thread(target=_forget_deleted, args=(runner,), name="forget-deleted", daemon=True).start()
    log.info("worker process ready", queues=list(queues))


def _forget_deleted(runner: JobRunner) -> None:
    """Drop what is cached in memory after a deletion, also while no job comes that would look."""
    mark = runner.deletions.read()
    while True:
        threading.Event().wait(FORGET_S)
        if (now := runner.deletions.read()) != mark:
            mark = now
            runner.tools.map_cache.forget()
            runner.tools.reader.forget()


def _lower_priority() -> None:
    os.nice(_NICENESS)
    with suppress(OSError):  # where Linux groups processes by session, niceness counts within a session only
        Path("/proc/self/autogroup").write_text(str(_NICENESS))
