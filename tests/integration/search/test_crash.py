"""kill -9 in the middle of writes: what was acknowledged is there, and nothing is there by half."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from casekin.clients.search import SearchClient
from casekin.errors import CasekinError
from casekin.launcher.ports import free_port
from services.search.app import create_app
from services.search.index import StoredCase
from services.search.settings import SearchSettings
from tests.integration.search.made import batch, collection
from tests.serving import serving

BATCH = 8
CASES = collection(32 * BATCH, seed=9)


def start(settings: SearchSettings) -> tuple[subprocess.Popen[bytes], str]:
    port = free_port()
    names = {"DATA": settings.data, "BUNDLE": settings.bundle, "RESERVE_MB": 0, "PORT": port, "HOST": "127.0.0.1"}
    env = os.environ | {f"CASEKIN_{name}": str(value) for name, value in names.items()}
    env.pop("CASEKIN_QDRANT_URL", None)
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-m", "services.search"], env=env, cwd=root, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
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
    process, url = start(settings)
    acknowledged: list[int] = []
    writer = threading.Thread(target=write, args=(url, batches, acknowledged))
    writer.start()
    try:
        while len(acknowledged) < 2 and writer.is_alive():
            time.sleep(0.001)
        time.sleep(random.Random(seed).uniform(0, 0.3))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        writer.join(30)
    assert 2 <= len(acknowledged) < len(batches), "the kill came before or after the writes"

    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        there = {
            case.id: (case, x) for page in client.latents() for case, x in zip(page.cases, page.latents, strict=True)
        }
        assert client.collection().cases == len(there)
        for number, cases in enumerate(batches):
            present = [one for one in cases if one.case.id in there]
            assert len(present) in ((BATCH,) if number in acknowledged else (0, BATCH)), (
                f"batch {number} is there by half"
            )
            for one in present:
                assert there[one.case.id] == (one.case, one.latent.tolist())
                assert client.image(one.case.id)[1] == client.thumbnail(one.case.id)[1] == "image/jpeg"
        client.put_cases(*batch(CASES))
        assert client.collection().cases == len(CASES), "and it goes on from there"
