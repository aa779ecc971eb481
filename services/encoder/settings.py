"""Settings of the encoder."""

import os
from pathlib import Path

from pydantic import Field

from casekin.service.settings import ServiceSettings


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EncoderSettings(ServiceSettings):
    """Which model is served and how much of the machine it may take."""

    port: int = Field(default=8101, ge=0, le=65_535)
    bundle: Path = Path("bundles/default")
    """Folder of the bundle."""
    threads: int = Field(default=1, ge=1, le=64)
    """Of ONNX Runtime within one inference; more than 1 shortens a lone upload and costs throughput under load."""
    concurrency: int = Field(default_factory=lambda: usable_cores() + 1, ge=1, le=256)
    """Uploads and decodings worked on at once; one more than cores, as one thread may be waiting for the GIL."""
    waiting: int = Field(default=64, ge=0, le=10_000)
    """Requests that may wait, each with its upload in memory; further ones get 503 with Retry-After."""
    decode_batch: int = Field(default=8, ge=1, le=1024)
    """Latents decoded in one run of the graph: what they need at once still fits a core's cache. Measured for 352
    latents on the shipped decoder and two cores: 196 ms in batches of 8, 252 of 16, 305 of 32."""
