"""How a command ends when it cannot go on."""

import typer

from casekin.collections.text import printable
from casekin.errors import CasekinError


def stop(error: CasekinError, hint: str = "") -> typer.Exit:
    """Print the error in one line on standard error; raise the result to exit with status 1."""
    typer.echo(f"casekin: {printable(error.detail)}" + (f"; {hint}" if hint else ""), err=True)
    return typer.Exit(1)
