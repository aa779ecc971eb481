"""Images as the browser and the encoder exchange them: data URIs with base64."""

import base64
import binascii

from casekin.errors import BadInput


def decoded_data_uri(contents: str) -> bytes:
    """The bytes in a data URI; raises `BadInput` where it is none."""
    head, comma, body = contents.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        # an empty file arrives as "data:", and the encoder says it best
        if contents in ("", "data:", "data:,"):
            return b""
        raise BadInput("the browser sent no base64 data URI; choose the file again")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise BadInput("the browser sent broken base64; choose the file again") from error


def data_uri(content: bytes, media_type: str) -> str:
    """`content` as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
