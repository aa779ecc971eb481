"""kill -9 in the middle of writes: what was acknowledged is there, and nothing is there by half."""

import os
import random
import signal
import threading
import time

import pytest

from casekin.clients.search import SearchClient
from casekin.errors import CasekinError
from casekin.launcher.ports import free_port
from services.search.app import create_app
from services.search.settings import SearchSettings
from services.search.vector_store.port import StoredCase
from tests.integration.search.made import batch, collection, image
from tests.serving import serving
from tests.warm_start import Started, start

BATCH = 8
CASES = collection(32 * BATCH, seed=9)


def serve(settings: SearchSettings) -> tuple[Started, str]:
    port = free_port()
    names = {"DATA": settings.data, "BUNDLE": settings.bundle, "RESERVE_MB": 0, "PORT": port, "HOST": "127.0.0.1"}
    env = os.environ | {f"CASEKIN_{name}": str(value) for name, value in names.items()}
    env.pop("CASEKIN_QDRANT_URL", None)
    process = start("services.search", env=env)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 170
    with SearchClient(url, attempts=1) as client:
        while not client.is_ready():
            assert process.poll() is None, "the service did not start"
            assert time.monotonic() < deadline, "the service did not become ready"
            time.sleep(0.05)
    return process, url


def write(url: str, batches: list[list[StoredCase]], acknowledged: list[int]) -> None:
    with SearchClient(url, attempts=1) as client:
        for number, cases in enumerate(batches):
            try:
                client.put_cases(*batch(cases))
            except CasekinError:
                return
            acknowledged.append(number)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill__loses_nothing_acknowledged(settings: SearchSettings, seed: int) -> None:
    batches = [CASES[i : i + BATCH] for i in range(0, len(CASES), BATCH)]
    batch(CASES)  # makes the images before the clock runs
    acknowledged = killed_while_writing(settings, batches, random.Random(seed).uniform(0, 0.3), at_least=2)
    assert 2 <= len(acknowledged) < len(batches), "the kill came before or after the writes"

    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        check_whole(client, batches, set(acknowledged))
        client.put_cases(*batch(CASES))
        assert client.collection().cases == len(CASES), "and it goes on from there"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kill__twenty_times_loses_nothing_acknowledged(settings: SearchSettings) -> None:
    """Every kill at a random moment; each start goes on with the first batch that was not acknowledged.

    There are more cases than are ever written, so that every kill comes in the middle.
    """
    cases = collection(10_000, seed=10)
    batches = [cases[i : i + 2 * BATCH] for i in range(0, len(cases), 2 * BATCH)]
    for one in cases:
        image(one.case.id)  # made before the clock runs
    moments = random.Random(20)
    done: set[int] = set()
    for _ in range(20):
        left = [number for number in range(len(batches)) if number not in done]
        assert left, "all was written before the twentieth kill"
        seconds = moments.uniform(0, 0.5)
        written = killed_while_writing(settings, [batches[number] for number in left], seconds, at_least=1)
        assert written, "nothing was acknowledged before the kill, so it could lose nothing"
        done |= {left[i] for i in written}
    with serving(create_app(settings)) as url, SearchClient(url, attempts=1, timeout_s=120) as client:
        check_whole(client, batches, done)
        sent = set(range(min(max(done) + 10, len(batches))))  # all that a kill cut off, and some more
        for number in sorted(sent - done):
            client.put_cases(*batch(batches[number]))
        check_whole(client, batches, sent)


def killed_while_writing(
    settings: SearchSettings, batches: list[list[StoredCase]], seconds: float, at_least: int
) -> list[int]:
    """Write to a service of its own, killed `seconds` after `at_least` batches were acknowledged; which ones were."""
    process, url = serve(settings)
    acknowledged: list[int] = []
    writer = threading.Thread(target=write, args=(url, batches, acknowledged))
    writer.start()
    try:
        while len(acknowledged) < at_least and writer.is_alive():
            time.sleep(0.001)
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        writer.join(30)
    return acknowledged


def check_whole(client: SearchClient, batches: list[list[StoredCase]], acknowledged: set[int]) -> None:
    """Every acknowledged batch is there, none by half, and each case that is there has all that it came with."""
    there = {case.id: (case, x) for page in client.latents() for case, x in zip(page.cases, page.latents, strict=True)}
    assert client.collection().cases == len(there)
    for number, cases in enumerate(batches):
        present = [one for one in cases if one.case.id in there]
        whole = (len(cases),) if number in acknowledged else (0, len(cases))
        assert len(present) in whole, f"batch {number} is there by half"
        for one in present:
            assert there[one.case.id] == (one.case, one.latent.tolist())
            assert client.image(one.case.id)[1] == client.thumbnail(one.case.id)[1] == "image/jpeg"
