"""The page of the compose network asks for a name and a password: 401 without, 200 with ``NAME:PASSWORD``."""

import base64
import sys
import urllib.error
import urllib.request

PAGE = "http://ui:8100/"


def status(credentials: str | None) -> int:
    """What the page answers to these credentials."""
    request = urllib.request.Request(PAGE)
    if credentials:
        request.add_header("Authorization", f"Basic {base64.b64encode(credentials.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  the page alone
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def main(credentials: str) -> int:
    """Ask without, with wrong and with right credentials; returns the exit status."""
    found = [status(None), status(f"{credentials}x"), status(credentials)]
    print(f"the page answers {found[0]} to nobody, {found[1]} to a wrong password, {found[2]} to the right one")
    return 0 if found == [401, 401, 200] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
