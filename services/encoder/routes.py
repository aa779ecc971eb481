"""The three routes of the encoder."""

from fastapi import APIRouter, Request, Response

from casekin.contracts.encoder import DecodeRequest, DecodeResponse, EncodeResponse
from casekin.contracts.encoder import Model as ModelAnswer
from casekin.service.answers import as_json
from services.encoder.encoding import decode_latents, encode_upload
from services.encoder.model import Model
from services.encoder.upload import read_upload
from services.encoder.workers import Workers

_MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "application/dicom", "application/octet-stream")
_IMAGE_BODY = {
    "requestBody": {
        "required": True,
        "description": "the bytes of one image, at most 20 MB and 50 megapixels; the type is recognised by content",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA_TYPES},
    }
}


def encoder_routes(model: Model, workers: Workers) -> APIRouter:
    """Routes that serve `model` on `workers`."""
    router = APIRouter(tags=["encoder"])
    about = ModelAnswer(manifest=model.manifest)

    @router.post("/encode", response_model=EncodeResponse, openapi_extra=_IMAGE_BODY)
    async def encode(request: Request, reconstruction: bool = True) -> Response:
        """Image -> latent, class probabilities, quality, and the image as the model sees it."""
        with workers.admitted():
            data = await read_upload(request)
            return as_json(await workers.run(lambda: encode_upload(model, data, reconstruct=reconstruction)))

    @router.post("/decode", response_model=DecodeResponse)
    async def decode(body: DecodeRequest) -> Response:
        """Latents -> images."""
        with workers.admitted():
            return as_json(await decode_latents(model, workers, body))

    @router.get("/model")
    async def show_model() -> ModelAnswer:
        """The manifest of the bundle in use."""
        return about

    return router
