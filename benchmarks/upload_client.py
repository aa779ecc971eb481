"""The load generator of the upload benchmark: HTTP/1.1 over a plain socket, and the page's two requests.

A browser's share of the work is not done on the server's cores, so the less of them the load generator takes, the truer
the figures; how much it takes is measured and printed.
"""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from casekin.contracts.encoder import EncodeResponse
from services.ui.session.search_request import Steering, search_request
from services.ui.session.stores import Query, SearchStart


class Connection:
    """One connection that is kept, for answers with a Content-Length."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._socket: socket.socket | None = None

    def post(self, path: str, body: bytes, kind: str) -> bytes:
        """The body of the answer; ends the benchmark where it is no 200."""
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return self._answer(path, head.encode() + body)

    def get(self, path: str) -> bytes:
        """The body of the answer, likewise."""
        return self._answer(path, f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())

    def _answer(self, path: str, request: bytes) -> bytes:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._some()
        headers = received[:end].lower()
        length = int(headers.partition(b"content-length:")[2].partition(b"\r\n")[0])
        content = bytearray(received[end + 4 :])
        while len(content) < length:
            content += self._some()
        if not headers.startswith(b"http/1.1 200"):
            raise SystemExit(f"{path} answered {bytes(headers[:40])!r}: {bytes(content[:500])!r}")
        return bytes(content)

    def _some(self) -> bytes:
        assert self._socket is not None
        if not (some := self._socket.recv(1 << 18)):
            raise SystemExit("the service closed the connection")
        return some

    def close(self) -> None:
        """Give the socket back; the next call opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Uploader:
    """One user's way: an image to the encoder with its reconstruction, its latent to search, as the page sends both."""

    def __init__(self, encoder: str, search: str) -> None:
        self.encoder, self.search = Connection(encoder), Connection(search)
        self._request: dict[str, Any] | None = None
        """The page's search request, its parts that depend on the image replaced at each upload."""

    def upload(self, image: bytes) -> bytes:
        """The answer of search to `image`: ranked matches, as JSON."""
        return self.search.post("/v1/search", self.search_body(self.encode(image)), "application/json")

    def encode(self, image: bytes) -> bytes:
        """The encoder's answer as JSON."""
        return self.encoder.post("/v1/encode?reconstruction=true", image, "application/octet-stream")

    def search_body(self, encoded: bytes) -> bytes:
        """The body of the page's search after this answer of the encoder."""
        if self._request is None:
            self._request = json.loads(page_request(encoded))
        answer = json.loads(encoded)
        quality, image = answer["quality"], self._request["image"]
        self._request["latents"] = [answer["latent"]]
        self._request["image"] = {name: quality[name] for name in image}
        return json.dumps(self._request, separators=(",", ":")).encode()

    def close(self) -> None:
        """Give the connections back."""
        self.encoder.close()
        self.search.close()


def page_request(encoded: bytes) -> bytes:
    """The search request that the page's own code makes of an answer of the encoder."""
    answer = EncodeResponse.model_validate_json(encoded)
    start = SearchStart(query=Query(name="image.jpg", encoded=answer))
    return search_request(start, Steering(), answer.bundle_version).model_dump_json().encode()
