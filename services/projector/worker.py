"""``python -m services.projector.worker --queues interactive|maps|bulk``: works on jobs.

Scale by copies: any number of workers may share a queue. With ``--ping``: does one live on this host?
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from casekin.errors import Unavailable
from services.projector.jobs.heartbeat import Heartbeat, connect
from services.projector.jobs.kinds import QUEUES, Queue
from services.projector.settings import ProjectorSettings


def main() -> int:
    """Read the environment and the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.projector.worker", description=__doc__)
    parser.add_argument("--queues", nargs="+", choices=QUEUES, required=True)
    parser.add_argument("--ping", action="store_true", help="exit 0 if a worker of these queues lives on this host")
    arguments = parser.parse_args()
    try:
        settings = ProjectorSettings()
        return _ping(settings, arguments.queues) if arguments.ping else _work(settings, arguments.queues)
    except (ValidationError, ValueError, OSError, Unavailable) as error:
        print(f"casekin: {error}", file=sys.stderr)
        return 2


def _ping(settings: ProjectorSettings, queues: Sequence[Queue]) -> int:
    heartbeat, host = Heartbeat(connect(settings.redis_url), settings.lease_s), socket.gethostname()
    silent = [queue for queue in queues if host not in heartbeat.hosts(queue)]
    if silent:
        print(f"no worker of {', '.join(silent)} was heard of on {host} in {settings.lease_s:g} s", file=sys.stderr)
    return 1 if silent else 0


def _work(settings: ProjectorSettings, queues: Sequence[Queue]) -> int:
    folder = settings.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder / "numba"))
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")  # stop within seconds; unfinished jobs go to the next worker
    from services.projector.tasks.worker_process import run_worker  # noqa: PLC0415 -- reads both, and would slow down --ping

    return run_worker(settings, queues)


if __name__ == "__main__":
    sys.exit(main())
