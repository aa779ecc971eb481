"""The projector asks the encoder for its manifest no oftener than needed, and never in a queue."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import cast

from casekin.clients import EncoderClient
from services.projector.latents.manifest_cache import ManifestCache


class SlowEncoder:
    """Counts calls; each takes a fifth of a second."""

    def __init__(self, version: str) -> None:
        self.version, self.calls = version, 0

    def model(self) -> SimpleNamespace:
        self.calls += 1
        time.sleep(0.2)
        return SimpleNamespace(manifest=SimpleNamespace(version=self.version))


def test_manifest__ten_requests_cause_one_call() -> None:
    encoder = SlowEncoder("one")
    manifests = ManifestCache(cast(EncoderClient, encoder))
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: manifests.of("one").version, range(10)))
    assert (found, encoder.calls) == (["one"] * 10, 1)


def test_manifest__is_loaded_anew_for_another_version_only() -> None:
    encoder = SlowEncoder("one")
    manifests = ManifestCache(cast(EncoderClient, encoder))
    assert [manifests.of("one").version, manifests.current().version, manifests.of("one").version] == ["one"] * 3
    assert encoder.calls == 1
    encoder.version = "two"
    assert manifests.of("two").version == "two"
    assert (manifests.current().version, encoder.calls) == ("two", 2)
