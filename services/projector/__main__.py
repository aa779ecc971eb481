"""``python -m services.projector``: the job API. Workers: ``python -m services.projector.worker``."""

import sys

from pydantic import ValidationError

from casekin.service.run import refuse, serve
from services.projector.app import create_app
from services.projector.settings import ProjectorSettings


def main() -> int:
    """Serve until stopped; returns the exit status."""
    try:
        settings = ProjectorSettings()
        app = create_app(settings)
    except (ValidationError, ValueError, OSError) as error:
        return refuse(error)
    serve(app, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
