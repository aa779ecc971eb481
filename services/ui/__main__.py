"""``python -m services.ui`` serves the page; ``python -m services.ui hash-password`` hashes a password from stdin."""

import getpass
import sys

from pydantic import ValidationError

from casekin.service.run import refuse, serve
from services.ui.app import create_app
from services.ui.security.passwords import PasswordHash
from services.ui.settings import UiSettings


def hash_password() -> int:
    """Print the hash of one line from standard input; on a terminal the line is not shown."""
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    try:
        print(PasswordHash.of(password))
    except ValueError as error:
        return refuse(error)
    return 0


def main(arguments: list[str]) -> int:
    """Serve, or hash a password."""
    if arguments == ["hash-password"]:
        return hash_password()
    if arguments:
        return refuse(ValueError(f"unknown argument {arguments[0]!r}; the only one is hash-password"))
    try:
        settings = UiSettings()
    except ValidationError as error:
        return refuse(error)
    serve(create_app(settings), settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
