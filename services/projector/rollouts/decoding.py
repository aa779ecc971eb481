"""Decode latents through the encoder service, two requests at once so that it never waits for this side."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from casekin.clients import EncoderClient
from casekin.contracts.encoder import DecodeRequest, DecodeResponse
from services.projector.jobs.progress import Report, Stage

_BATCH = 192
"""Latents a request: every request costs some milliseconds; the encoder lets others have their turn within one."""
_UNDER_WAY = 2


@dataclass(frozen=True)
class DecodedImages:
    """Decoded images in the order of their latents."""

    width: int
    height: int
    images: list[str]
    """Data URIs."""


class PendingDecode:
    """Requests that are under way."""

    def __init__(self, responses: list[Future[DecodeResponse]], total: int) -> None:
        self._responses, self._total = responses, total

    def finish(self, report: Report) -> DecodedImages:
        """Wait for all images, reporting progress; raises what the encoder answered."""
        stage = Stage(report, 0.0, 1.0, lambda done, total: f"{done} of {total} images decoded", last=True)
        images: list[str] = []
        for response in self._responses:
            images += response.result().images
            stage(len(images), self._total)
        size = self._responses[0].result()
        return DecodedImages(size.width, size.height, images)


@contextmanager
def start_decoding(
    encoder: EncoderClient,
    bundle_version: str,
    latents: npt.NDArray[np.floating],
    *,
    kind: Literal["jpeg", "png"] = "jpeg",
) -> Iterator[PendingDecode]:
    """Start decoding latents [N,D], at least one; requests that have not started when the block ends are dropped."""

    def decode(first: int) -> DecodeResponse:
        batch = latents[first : first + _BATCH].tolist()
        return encoder.decode(DecodeRequest(bundle_version=bundle_version, latents=batch, format=kind))

    pool = ThreadPoolExecutor(_UNDER_WAY, thread_name_prefix="decoding")
    try:
        yield PendingDecode([pool.submit(decode, first) for first in range(0, len(latents), _BATCH)], len(latents))
    finally:
        pool.shutdown(cancel_futures=True)
