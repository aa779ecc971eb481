"""Client of the encoder service."""

from casekin.clients.http import ServiceClient
from casekin.contracts.encoder import DecodeRequest, DecodeResponse, EncodeResponse, Model


class EncoderClient(ServiceClient):
    """Image -> latent, latent -> image."""

    service = "encoder"

    def model(self) -> Model:
        """The model in use."""
        return self._get(Model, "/v1/model")

    def encode(self, image: bytes, *, reconstruction: bool = True) -> EncodeResponse:
        """Encode the bytes of one image; raises the upload errors of `casekin.errors`."""
        headers = {"Content-Type": "application/octet-stream"}
        params = {"reconstruction": reconstruction}
        response = self._call("POST", "/v1/encode", content=image, params=params, headers=headers)
        return self._parsed(EncodeResponse, response)

    def decode(self, request: DecodeRequest) -> DecodeResponse:
        """Decode latents to images."""
        return self._send("POST", DecodeResponse, "/v1/decode", request)
