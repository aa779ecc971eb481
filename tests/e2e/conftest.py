"""The whole system as a user starts it, and headless Chromium before it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, ViewportSize, sync_playwright

from casekin.clients import SearchClient
from casekin.launcher.state import Running, running
from casekin.phantoms import write_phantoms
from tests.conftest import real_data

COUNT, SEED = 150, 11
"""Phantoms in the collection, and the seed that draws them."""
CASEKIN = str(Path(sys.executable).with_name("casekin"))
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARTEFACTS = Path(__file__).parents[2] / "artefacts"
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PORTRAIT: ViewportSize = {"width": 900, "height": 1200}


@dataclass(frozen=True)
class Stack:
    """What runs, and where its data lie."""

    data: Path
    urls: dict[str, str]


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[Stack]:
    """`casekin up` with a collection of phantoms brought in by `casekin ingest`; no map before a test draws one."""
    folder = tmp_path_factory.mktemp("e2e")
    phantoms, data, log = folder / "phantoms", folder / "data", folder / "up.log"
    assert list(write_phantoms(phantoms, count=COUNT, seed=SEED))[-1] == COUNT
    kept = {"NUMBA_CACHE_DIR": str(pytestconfig.cache.mkdir("numba"))}  # a map need not be compiled for anew
    with log.open("w") as sink:
        command = [CASEKIN, "up", "--data", str(data), "--bundle", str(bundle), "--port", "0"]
        process = subprocess.Popen(
            command, stdout=sink, stderr=sink, start_new_session=True, env={**os.environ, **kept}
        )
    try:
        urls = _ready(process, data, log).urls
        services = [f"--{name}-url={urls[name]}" for name in ("encoder", "search")]
        subprocess.run([CASEKIN, "ingest", str(phantoms), "--data", str(data), *services], check=True, timeout=300)
        with SearchClient(urls["search"]) as search:
            assert search.collection().cases == COUNT
        yield Stack(data, urls)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


def _ready(process: subprocess.Popen[bytes], data: Path, log: Path) -> Running:
    deadline = time.monotonic() + 240
    while (found := running(data)) is None or "casekin is ready" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"not ready within 240 s: {log.read_text()}"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Closed before other modules run: Playwright holds an event loop open, in which no asynchronous test can start."""
    if not Path(CHROMIUM).exists():
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A tab, and everything that went wrong in it."""

    page: Page
    stack: Stack
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(60_000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        self.page.on("requestfailed", self._request_failed)
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text}")

    def _request_failed(self, request: Request) -> None:
        # The page drops what is under way as it is left or reloaded; an unanswered request fails by another name.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status}: {response.url}")
        if not response.url.startswith((self.stack.urls["ui"], "data:", "blob:")):
            self.errors.append(f"asked another server: {response.url}")

    def open(self) -> Page:
        """Open the page and wait until its counts are there."""
        self.page.goto(self.stack.urls["ui"])
        self.page.wait_for_selector(".facet input")
        return self.page

    def upload(self, image: Path) -> None:
        """Choose a file and wait for its matches."""
        self.page.set_input_files("#upload input[type=file]", image)
        self.page.wait_for_selector("button.match-card")

    def shown(self) -> list[str]:
        """Ids of the matches, in order."""
        cards = self.page.locator("button.match-card")
        shown: list[str] = cards.evaluate_all("all => all.map(card => card.dataset.case)")
        return shown

    def wait_for(self, cases: list[str]) -> None:
        """Wait until the matches are these, in this order."""
        self.page.wait_for_function(
            "(ids) => [...document.querySelectorAll('button.match-card')].map(c => c.dataset.case).join() === ids",
            arg=",".join(cases),
        )

    def shoot(self, name: str) -> None:
        """Keep a picture of the tab in artefacts/."""
        ARTEFACTS.mkdir(exist_ok=True)
        size = self.page.viewport_size or DESKTOP
        self.page.wait_for_function("[...document.images].every((image) => image.complete)")
        self.page.screenshot(path=ARTEFACTS / f"{name}-{size['width']}x{size['height']}.png")


@pytest.fixture(params=[("light", DESKTOP), ("dark", PORTRAIT)], ids=["desktop-light", "portrait-dark"])
def tab_in_both(request: pytest.FixtureRequest, chromium: Browser, stack: Stack) -> Iterator[Watched]:
    yield from _tab(chromium, stack, *request.param)


@pytest.fixture
def tab(chromium: Browser, stack: Stack) -> Iterator[Watched]:
    yield from _tab(chromium, stack, "light", DESKTOP)


@pytest.fixture
def second_tab(chromium: Browser, stack: Stack) -> Iterator[Watched]:
    """Of another user."""
    yield from _tab(chromium, stack, "light", DESKTOP)


def _tab(chromium: Browser, stack: Stack, scheme: str, size: ViewportSize) -> Iterator[Watched]:
    context = chromium.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    watched = Watched(context.new_page(), stack)
    yield watched
    context.close()
    assert watched.errors == []


@pytest.fixture(scope="session")
def lesions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two images of 600 x 450 that are not in the collection: real ones, or phantoms without the real data."""
    real = real_data("ham10000_600x450")
    if real is not None:
        return real / "ISIC_0024310.jpg", real / "ISIC_0024315.jpg"
    folder = tmp_path_factory.mktemp("lesions")
    assert list(write_phantoms(folder, count=2, seed=SEED + 1))[-1] == 2
    first, second = sorted(folder.rglob("*.jpg"))
    return first, second


@pytest.fixture(scope="session")
def lesion(lesions: tuple[Path, Path]) -> Path:
    return lesions[0]


@pytest.fixture(scope="session")
def other_lesion(lesions: tuple[Path, Path]) -> Path:
    return lesions[1]
