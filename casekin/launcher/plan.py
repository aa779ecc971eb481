"""The plan of one machine: its processes, their order and their settings."""

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from casekin.clients.http import ServiceClient
from casekin.launcher import redis
from casekin.launcher.ports import free_port, page_port
from casekin.launcher.processes import Part, Plan, ReadinessCommand

THREAD_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""One thread each: several processes share the cores, and more would only wait for one another."""


@dataclass(frozen=True)
class Options:
    """What the user chose."""

    data: Path
    bundle: Path
    host: str
    """Of the page."""
    port: int | None
    """Likewise; none prefers `PAGE_PORT`."""
    collections: str | None = None
    """Path or URL where the bulk worker finds collections; without it, it ingests none."""


def make_plan(options: Options) -> Plan:
    """Encoder, search and Redis, the job API after Redis, then workers and page; all but the page on loopback only.

    Raises `Conflict` where the port of the options is taken.
    """
    page = page_port(options.host, options.port)
    ports = {name: free_port() for name in ("redis", "encoder", "search", "projector")} | {"ui": page}
    urls = {name: f"http://{_reached_at('127.0.0.1')}:{ports[name]}" for name in ("encoder", "search", "projector")}
    urls["ui"] = f"http://{_reached_at(options.host)}:{page}"
    password = secrets.token_urlsafe(24)
    shared = dict.fromkeys(THREAD_POOLS, "1") | {
        "CASEKIN_BUNDLE": str(options.bundle),
        "CASEKIN_DATA": str(options.data),
        "CASEKIN_REDIS_URL": f"redis://:{password}@127.0.0.1:{ports['redis']}/0",
        **{f"CASEKIN_{name.upper()}_URL": urls[name] for name in ("encoder", "search", "projector")},
        "PYTHONUNBUFFERED": "1",
    }
    layout = _Layout(options, ports, urls, shared)
    collections = {"CASEKIN_COLLECTIONS": options.collections} if options.collections else {}
    return Plan(
        parts=[
            layout.redis(password),
            layout.service("encoder"),
            layout.service("search"),
            layout.service("projector", after=("redis",)),
            layout.worker("interactive", after=("projector",)),
            layout.service("ui", after=("encoder", "search", "projector")),
            # compiles for a while at its start: last, and not waited for; a fit is queued until it is ready
            layout.worker("maps", after=("worker-interactive", "ui"), awaited=False),
            layout.worker("bulk", after=("worker-interactive", "ui"), awaited=False, **collections),
        ],
        urls=urls,
    )


def make_encoder_plan(data: Path, bundle: Path) -> Plan:
    """An encoder alone, beside one with another bundle: for a re-index. Its log lies below `data`."""
    port = free_port()
    urls = {"encoder": f"http://127.0.0.1:{port}"}
    shared = dict.fromkeys(THREAD_POOLS, "1") | {"CASEKIN_BUNDLE": str(bundle), "PYTHONUNBUFFERED": "1"}
    options = Options(data=data, bundle=bundle, host="127.0.0.1", port=None)
    return Plan(parts=[_Layout(options, {"encoder": port}, urls, shared).service("encoder")], urls=urls)


@dataclass(frozen=True)
class _Layout:
    options: Options
    ports: dict[str, int]
    urls: dict[str, str]
    shared: dict[str, str]

    def redis(self, password: str) -> Part:
        folder = self.options.data / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        port = self.ports["redis"]
        return Part(
            name="redis",
            command=[str(redis.server_binary()), "-"],
            log=self._log("redis"),
            ready=lambda: redis.answers(port, password),
            stdin=redis.config(port=port, folder=folder, password=password),
        )

    def service(self, name: str, *, after: tuple[str, ...] = ()) -> Part:
        host = self.options.host if name == "ui" else "127.0.0.1"
        own = {
            "CASEKIN_HOST": host,
            "CASEKIN_PORT": str(self.ports[name]),
            "CASEKIN_AUDIT_FILE": str(self.options.data / "audit" / f"{name}.jsonl"),
        }
        return Part(
            name=name,
            command=[sys.executable, "-m", f"services.{name}"],
            log=self._log(name),
            environment=self.shared | own,
            after=after,
            ready=_http_ready(self.urls[name]),
            url=self.urls[name],
        )

    def worker(self, queue: str, *, after: tuple[str, ...], awaited: bool = True, **own: str) -> Part:
        command = [sys.executable, "-m", "services.projector.worker", "--queues", queue]
        environment = self.shared | {"CASEKIN_HOST": "127.0.0.1"} | own
        return Part(
            name=f"worker-{queue}",
            command=command,
            log=self._log(f"worker-{queue}"),
            environment=environment,
            after=after,
            ready=ReadinessCommand([*command, "--ping"], environment),
            awaited=awaited,
        )

    def _log(self, name: str) -> Path:
        return self.options.data / "logs" / f"{name}.log"


def _http_ready(url: str) -> Callable[[], bool]:
    client = ServiceClient(url)
    return client.is_ready


def _reached_at(host: str) -> str:
    """The name under which this machine reaches a server that is bound to `host`."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  compared with, not bound to
    return everywhere.get(host, f"[{host}]" if ":" in host else host)
