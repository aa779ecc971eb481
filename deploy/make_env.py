"""Writes the secrets that docker-compose.yml asks for: ``python -m deploy.make_env .env`` from the repository's root.

Needs nothing but the standard library. A file that is there stays as it is.
"""

import os
import secrets
import sys
from pathlib import Path

from services.ui.security.passwords import PasswordHash

FIRST_USER = "clinician"


def environment(password: str) -> str:
    """The lines of the file; single quotes keep Compose from reading the dollars of the hash as variables."""
    values = {
        "CASEKIN_API_KEY": secrets.token_urlsafe(32),
        "CASEKIN_USERS": f"{FIRST_USER}:{PasswordHash.of(password)}",
        "QDRANT_API_KEY": secrets.token_urlsafe(32),
        "REDIS_PASSWORD": secrets.token_urlsafe(32),
    }
    return "".join(f"{name}='{value}'\n" for name, value in values.items())


def main(target: Path) -> int:
    """Write `target` with mode 0600 and show the first password, once."""
    password = secrets.token_urlsafe(12)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"secrets: {target} is there and stays as it is")
        return 0
    with os.fdopen(descriptor, "w") as file:
        file.write(environment(password))
    print(f"secrets: written to {target}")
    print(f"The page asks for a name and a password: {FIRST_USER} / {password} (shown only now)")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
