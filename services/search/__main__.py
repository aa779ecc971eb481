"""``python -m services.search``: the one place that reads the environment."""

import sys

from pydantic import ValidationError

from casekin.errors import CasekinError
from casekin.service.run import refuse, serve
from services.search.app import create_app
from services.search.settings import SearchSettings


def main() -> int:
    """Serve until stopped; 2 where the settings, the bundle or the index are refused."""
    try:
        settings = SearchSettings()
        app = create_app(settings)
    except (ValidationError, CasekinError, OSError) as error:
        return refuse(error)
    serve(app, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
