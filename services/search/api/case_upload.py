"""Reads ``PUT /v1/cases``: a multipart body with the part ``batch`` and files ``images`` named by case id."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from casekin.contracts.base import CaseId
from casekin.contracts.search import CaseBatch
from casekin.errors import BadInput, UploadTooLarge

_BATCH_BYTES = 32_000_000
"""Of the part ``batch``: 256 cases of 4096 dimensions."""

BATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["batch", "images"],
                    "properties": {
                        "batch": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "description": "a CaseBatch: bundle_version, and cases with their latents and digests",
                            "example": CaseBatch.model_json_schema()["example"],
                        },
                        "images": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "one file a case, its filename the case's id",
                        },
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class ReceivedBatch:
    """A batch as it came, its cases valid by contract and its images unread."""

    batch: CaseBatch
    images: dict[CaseId, bytes]


def batch_reader(limit: int) -> Callable[[Request], Awaitable[ReceivedBatch]]:
    """A dependency that reads a batch of at most `limit` bytes; raises `UploadTooLarge`, `BadInput`."""

    async def read(request: Request) -> ReceivedBatch:
        _check_size(int(request.headers.get("content-length") or 0), limit)
        async with request.form(max_files=257, max_fields=8, max_part_size=_BATCH_BYTES) as form:
            batch = form.get("batch")
            if not isinstance(batch, str):
                raise BadInput("the part 'batch' is missing; send a CaseBatch as JSON")
            return ReceivedBatch(await run_in_threadpool(_parse, batch), await _images(form, limit))

    return read


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise UploadTooLarge(
            f"the batch has {size / 1e6:.1f} MB; the limit is {limit / 1e6:g} MB: send fewer cases at once"
        )


def _parse(batch: str) -> CaseBatch:
    try:
        return CaseBatch.model_validate_json(batch)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5])
        raise BadInput(f"batch: {'; '.join(faults)}") from error


async def _images(form: FormData, limit: int) -> dict[CaseId, bytes]:
    files = [file for file in form.getlist("images") if isinstance(file, UploadFile)]
    _check_size(sum(file.size or 0 for file in files), limit)
    images: dict[CaseId, bytes] = {}
    for file in files:
        name = file.filename or ""
        if name in images:
            raise BadInput(f"two files are named {name!r}; send one image a case")
        images[name] = await file.read()
    return images
