"""Contracts of the encoder service: image -> latent, latent -> image, and the model behind both."""

from typing import Literal

from pydantic import ConfigDict, Field

from casekin.contracts.base import BundleVersion, Code, Contract, Latent
from casekin.contracts.bundle import EXAMPLE, BundleManifest

LARGEST_DECODED = 1000.0
"""Coordinate, in standard deviations, beyond which the encoder refuses to decode: no image has such a latent."""


class Quality(Contract):
    """What was measured on the upload itself, and what a clinician should know about it."""

    width: int = Field(gt=0, description="pixels, after EXIF rotation")
    height: int = Field(gt=0, description="pixels, after EXIF rotation")
    turned: bool = Field(
        default=False,
        description="a portrait image, turned by 90 degrees to the left before it was encoded",
    )
    sharpness: float = Field(
        ge=0, description="variance of the Laplacian of luma in 0..1 at the encoder's input size, times 1000"
    )
    brightness: float = Field(ge=0, le=1, description="mean luma")
    reconstruction_error: float | None = Field(ge=0, description="mean squared error in 0..1; none if not requested")
    warnings: list[str] = Field(description="in words, empty if nothing is odd")


class EncodeResponse(Contract):
    """Answer to ``POST /v1/encode`` (body: the bytes of one image; query: ``reconstruction=true|false``)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "latent": [0.3, -1.2],
                "log_variance": [-2.0, -1.7],
                "probabilities": {"mel": 0.2, "nv": 0.8},
                "reconstruction": "data:image/jpeg;base64,/9j/",
                "quality": {
                    "width": 600,
                    "height": 450,
                    "sharpness": 2.1,
                    "brightness": 0.62,
                    "reconstruction_error": 0.004,
                    "warnings": [],
                },
            }
        }
    )

    bundle_version: str
    latent: Latent
    log_variance: list[float] = Field(description="of the raw posterior, D")
    probabilities: dict[Code, float] = Field(description="of the head on the latent; not a diagnosis")
    reconstruction: str | None = Field(description="data URI, or none if not requested")
    quality: Quality


class DecodeRequest(Contract):
    """Body of ``POST /v1/decode``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"bundle_version": "ham10000-2026.11.1", "latents": [[0.3, -1.2], [0.0, 0.0]], "format": "jpeg"}
        }
    )

    bundle_version: BundleVersion
    latents: list[Latent] = Field(min_length=1, max_length=1024)
    format: Literal["jpeg", "png", "webp"] = "jpeg"


class DecodeResponse(Contract):
    """Answer to ``POST /v1/decode``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "width": 128,
                "height": 96,
                "images": ["data:image/jpeg;base64,/9j/"],
            }
        }
    )

    bundle_version: str
    width: int
    height: int
    images: list[str] = Field(description="data URIs in the order of the latents")


class Model(Contract):
    """Answer to ``GET /v1/model``: the manifest of the bundle in use."""

    model_config = ConfigDict(json_schema_extra={"example": {"manifest": EXAMPLE}})

    manifest: BundleManifest
