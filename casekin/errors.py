"""The closed list of errors that a Casekin service can answer with.

CasekinError
├── BadInput (422)            a value is out of its limits; the message names both
│   ├── EmptyUpload           nothing was sent
│   ├── UnsupportedImage      not JPEG, PNG, WebP or DICOM by content, or animated
│   ├── CorruptImage          right type, cannot be decoded to its end
│   ├── AmbiguousImage        several different files could be the image of a case
│   ├── WrongLatent           wrong length, not finite, or of another bundle
│   └── WrongWeights          wrong length, negative, all zero
├── UploadTooLarge (413)      more bytes or pixels than the limits allow
├── Unauthorized (401)        no key or a wrong one
├── NotFound (404)            unknown case, job, map or page
├── Conflict (409)            the state of the thing forbids it
├── Gone (410)                a result that existed and has expired
├── BundleRefused (500)       hashes or shapes of the bundle disagree; raised at start
├── StorageFull (507)         the disk is full; nothing was half written
├── Unavailable (503)         a required service does not answer; try again
└── Unexpected (500)          a bug; the log has the trace under the request id

A service raises them where the fault is known; `casekin.service.problems` turns them into RFC 9457 problem documents,
and `casekin.clients` turns those back into the same classes.
"""

from typing import ClassVar


class CasekinError(Exception):
    """Base of the closed list: each class has a stable ``code`` and an HTTP ``status``."""

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class BadInput(CasekinError):
    code, status, title = "bad-input", 422, "A value is not acceptable"


class EmptyUpload(BadInput):
    code, status, title = "empty-upload", 422, "The upload is empty"


class UnsupportedImage(BadInput):
    code, status, title = "unsupported-image", 422, "Not an image Casekin can read"


class CorruptImage(BadInput):
    code, status, title = "corrupt-image", 422, "The image is damaged"


class AmbiguousImage(BadInput):
    code, status, title = "ambiguous-image", 422, "Several images could be meant"


class WrongLatent(BadInput):
    code, status, title = "wrong-latent", 422, "The latent does not fit the model"


class WrongWeights(BadInput):
    code, status, title = "wrong-weights", 422, "The weights are not acceptable"


class UploadTooLarge(CasekinError):
    code, status, title = "upload-too-large", 413, "The upload is too large"


class Unauthorized(CasekinError):
    code, status, title = "unauthorized", 401, "Authentication is needed"


class NotFound(CasekinError):
    code, status, title = "not-found", 404, "Not found"


class Conflict(CasekinError):
    code, status, title = "conflict", 409, "Not possible in the current state"


class Gone(CasekinError):
    code, status, title = "gone", 410, "The result has expired"


class BundleRefused(CasekinError):
    code, status, title = "bundle-refused", 500, "The bundle cannot be used"


class StorageFull(CasekinError):
    code, status, title = "storage-full", 507, "The disk is full"


class Unavailable(CasekinError):
    code, status, title = "unavailable", 503, "A required service is unavailable"


class Unexpected(CasekinError):
    code, status, title = "unexpected", 500, "Something went wrong inside"


def _concrete(base: type[CasekinError]) -> list[type[CasekinError]]:
    return [cls for sub in base.__subclasses__() for cls in (sub, *_concrete(sub))]


ERRORS: dict[str, type[CasekinError]] = {cls.code: cls for cls in _concrete(CasekinError)}
"""Every class of the list by its code."""
