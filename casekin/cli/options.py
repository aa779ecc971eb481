"""Options that several commands share, and where the services of this machine are found."""

from pathlib import Path
from typing import Annotated

import typer

from casekin.launcher.state import running

ATTEMPTS = 6
"""Of each request: some seconds, in which a crashed service is back."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

_URL_HELP = "Left out: where `casekin up` runs it on --data, or else its own port on this machine."
_ALONE = {
    "encoder": "http://127.0.0.1:8101",
    "search": "http://127.0.0.1:8102",
    "projector": "http://127.0.0.1:8103",
}
"""Where services listen that no launcher started."""

Data = Annotated[
    Path, typer.Option(envvar="CASEKIN_DATA", help="Folder of index, images, jobs and logs; made where missing.")
]
EncoderUrl = Annotated[str | None, typer.Option(envvar="CASEKIN_ENCODER_URL", help=_URL_HELP)]
SearchUrl = Annotated[str | None, typer.Option(envvar="CASEKIN_SEARCH_URL", help=_URL_HELP)]
ProjectorUrl = Annotated[str | None, typer.Option(envvar="CASEKIN_PROJECTOR_URL", help=_URL_HELP)]
ApiKey = Annotated[str | None, typer.Option(envvar="CASEKIN_API_KEY", show_default=False)]
Metadata = Annotated[
    str | None,
    typer.Option(
        help="File name or path of the table; else all are read whose columns fit.", rich_help_panel="Collection"
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Files, folders and zips to leave out, such as annotations or *_mask.png; may be repeated.",
        rich_help_panel="Collection",
    ),
]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Replace cases of other collections that have the same id.",
        rich_help_panel="Collection",
    ),
]


def service_url(service: str, data: Path) -> str:
    """URL of a service: of the launcher that runs on `data`, or else its own port on this machine."""
    found = running(data)
    return found.url(service) if found else _ALONE[service]
