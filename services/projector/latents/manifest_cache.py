"""The encoder's manifest, remembered: it changes with a new bundle only."""

import time

from casekin.clients import EncoderClient
from casekin.contracts.bundle import BundleManifest

_REMEMBERED_S = 10.0


class Models:
    """Asks the encoder no oftener than needed; raises what asking raises."""

    def __init__(self, encoder: EncoderClient) -> None:
        self._encoder = encoder
        self._held: tuple[float, BundleManifest] | None = None

    def of(self, version: str) -> BundleManifest:
        """The manifest in use, asked for anew where the one held is of another version."""
        if self._held is not None and self._held[1].version == version:
            return self._held[1]
        return self._ask()

    def current(self) -> BundleManifest:
        """The manifest in use, some seconds old at most."""
        if self._held is not None and time.monotonic() - self._held[0] < _REMEMBERED_S:
            return self._held[1]
        return self._ask()

    def _ask(self) -> BundleManifest:
        manifest = self._encoder.model().manifest
        self._held = (time.monotonic(), manifest)
        return manifest
