"""What the page caches of the services."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.errors import Unavailable
from services.ui.session.service_cache import Catalog, Services

NOWHERE = "http://127.0.0.1:9"


class HungEncoder:
    """Answers nobody: each call ends in its timeout."""

    calls = 0

    def model(self) -> None:
        self.calls += 1
        time.sleep(0.2)
        raise Unavailable("encoder does not answer")


def test_catalog__ten_waiters_on_a_hung_encoder_wait_together() -> None:
    encoder = HungEncoder()
    services = Services(cast(EncoderClient, encoder), SearchClient(NOWHERE), ProjectorClient(NOWHERE))
    catalog, together = Catalog(services), threading.Barrier(10)

    def wait() -> None:
        together.wait(60)
        with pytest.raises(Unavailable):
            catalog.manifest()

    with ThreadPoolExecutor(10) as pool:
        for waiter in [pool.submit(wait) for _ in range(10)]:
            waiter.result()
    assert encoder.calls < 5, "they took turns"  # one call, or some more where the machine is too busy to begin at once
