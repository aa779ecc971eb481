"""How a command ends when it cannot go on."""

import typer

from casekin.errors import CasekinError


def stop(error: CasekinError, hint: str = "") -> typer.Exit:
    """Say what is wrong in one line on standard error; raise the result to leave with status 1."""
    typer.echo(f"casekin: {error.detail}" + (f"; {hint}" if hint else ""), err=True)
    return typer.Exit(1)
