"""The encoder's manifest, cached: it changes with a new bundle only."""

from casekin.clients import EncoderClient
from casekin.contracts.bundle import BundleManifest
from casekin.ttl_cache import TtlCache


class ManifestCache:
    """Loads the encoder's manifest no oftener than needed; raises what loading it raises."""

    def __init__(self, encoder: EncoderClient) -> None:
        self._manifest = TtlCache(lambda: encoder.model().manifest, fresh_s=10.0, stale_s=20.0)

    def of(self, version: str) -> BundleManifest:
        """The manifest in use, loaded anew where the cached one is of another version."""
        cached = self._manifest.peek()  # however old: the manifest of a version never changes
        return cached if cached is not None and cached.version == version else self._manifest.reload()

    def current(self) -> BundleManifest:
        """The manifest in use, half a minute old at most."""
        return self._manifest.get()
