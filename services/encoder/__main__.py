"""``python -m services.encoder``: the one place that reads the environment."""

import sys

from pydantic import ValidationError

from casekin.errors import CasekinError
from casekin.service.run import refuse, serve
from services.encoder.app import create_app
from services.encoder.settings import EncoderSettings


def main() -> int:
    """Serve until stopped; 2 where the settings or the bundle are refused."""
    try:
        settings = EncoderSettings()
        app = create_app(settings)
    except (ValidationError, CasekinError) as error:
        return refuse(error)
    serve(app, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
