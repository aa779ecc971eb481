"""An upload to its latent, and latents to images."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from casekin.contracts.encoder import DecodeRequest, DecodeResponse, EncodeResponse
from casekin.imaging.read import cover, is_turned, read_image, share_seen, to_array
from services.encoder.model import Model
from services.encoder.pictures import data_uri
from services.encoder.quality import Upload, measure
from services.encoder.workers import Workers


def encode_upload(model: Model, data: bytes, *, reconstruct: bool) -> EncodeResponse:
    """Latent, probabilities and quality of one image; raises the upload errors of `casekin.errors`."""
    manifest = model.manifest
    image = read_image(data)
    small = cover(image, manifest.input)
    pixels = to_array(small)
    encoding = model.encode(pixels)
    decoded = model.decode(encoding.latent[None])[0] if reconstruct else None
    error = None if decoded is None else reconstruction_error(small, decoded)
    return EncodeResponse(
        bundle_version=manifest.version,
        latent=encoding.latent.tolist(),
        log_variance=encoding.log_variance.tolist(),
        probabilities=dict(zip(manifest.classes, encoding.probabilities.clip(0, 1).tolist(), strict=True)),
        reconstruction=None if decoded is None else data_uri(decoded),
        quality=measure(
            Upload(image.width, image.height, is_turned(image, manifest.input), share_seen(image, manifest.input)),
            pixels,
            error,
            manifest,
        ),
    )


def reconstruction_error(small: Image.Image, decoded: NDArray[np.float32]) -> float:
    """Mean squared error in 0..1 between the encoder's input, brought to the decoder's size, and `decoded` [3,h,w]."""
    height, width = decoded.shape[1:]
    target = to_array(small.resize((width, height), Image.Resampling.BILINEAR))
    return float(np.mean((target - decoded) ** 2))


async def decode_latents(model: Model, workers: Workers, request: DecodeRequest) -> DecodeResponse:
    """Images of standardised latents; raises `WrongLatent`."""
    latents = model.check_latents(request.bundle_version, request.latents)
    parts = [latents[i : i + model.decode_batch] for i in range(0, len(latents), model.decode_batch)]

    def work(part: NDArray[np.float32]) -> list[str]:
        return [data_uri(image, request.format) for image in model.decode(part)]

    images = await workers.run_parts(work, parts)
    return DecodeResponse(
        bundle_version=request.bundle_version,
        width=model.manifest.output.width,
        height=model.manifest.output.height,
        images=[image for part in images for image in part],
    )
