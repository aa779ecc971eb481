"""Takes the body of a request into memory, and no more of it than the limits allow."""

from fastapi import Request

from casekin.imaging.read import LIMITS, ImageLimits


async def read_upload(request: Request, limits: ImageLimits = LIMITS) -> bytes:
    """The whole body; raises `UploadTooLarge` as soon as it is known to be, and `EmptyUpload`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal():
        limits.check_bytes(int(announced))
    chunks, count = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        count += len(chunk)
        if chunk:
            limits.check_bytes(count)
    limits.check_bytes(count)
    return b"".join(chunks)
