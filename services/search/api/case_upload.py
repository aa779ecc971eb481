"""Read the body of ``PUT /v1/cases``: multipart, a part ``batch`` and files ``images`` named by case id."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from casekin.contracts.base import CaseId, excerpt, worded
from casekin.contracts.cases import CaseBatch
from casekin.contracts.paths import CaseIdInPath
from casekin.errors import BadInput, UploadTooLarge

_BATCH_BYTES = 32_000_000
"""Maximum size of the part ``batch``: 256 cases of 4096 dimensions."""
_CASE_ID: TypeAdapter[CaseId] = TypeAdapter(CaseIdInPath)

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
                            "description": "one file a case, its filename the case's id, percent-encoded",
                        },
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class ReceivedBatch:
    """A batch whose cases are valid by contract and whose images are not decoded yet."""

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
        faults = (f"{_place(batch, fault['loc'])}: {worded(fault)}" for fault in error.errors()[:5])
        raise BadInput(f"batch: {'; '.join(faults)}") from error


def _place(batch: str, place: tuple[int | str, ...]) -> str:
    """Where a fault lies, by the id of its case where that can be read."""
    match place:
        case ("cases", int(number), *rest):
            with suppress(ValueError, LookupError, TypeError):
                case_id = json.loads(batch)["cases"][number]["case"]["id"]
                return f"case {excerpt(str(case_id))}: {'.'.join(map(str, rest))}"
    return ".".join(map(str, place))


def _case_id(name: str) -> CaseId:
    try:
        return _CASE_ID.validate_python(name)
    except ValidationError as error:
        raise BadInput(f"a file is named {excerpt(name)}; name it by the case's id, percent-encoded") from error


async def _images(form: FormData, limit: int) -> dict[CaseId, bytes]:
    files = [file for file in form.getlist("images") if isinstance(file, UploadFile)]
    _check_size(sum(file.size or 0 for file in files), limit)
    images: dict[CaseId, bytes] = {}
    for file in files:
        case_id = _case_id(file.filename or "")
        if case_id in images:
            raise BadInput(f"two files are named {excerpt(case_id)}; send one image a case")
        images[case_id] = await file.read()
    return images
