"""`casekin phantoms`: draw a collection of synthetic lesions."""

from pathlib import Path
from typing import Annotated

import typer

from casekin.cli.terminal.errors import stop
from casekin.cli.terminal.progress import progress
from casekin.errors import BadInput, CasekinError
from casekin.phantoms import write_phantoms


def phantoms(
    folder: Annotated[Path, typer.Argument(help="Where to write them: new, empty, or phantoms drawn before.")],
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many pictures.")] = 600,
    seed: Annotated[int, typer.Option(min=0, max=9999, help="The same seed draws the same pictures.")] = 7,
) -> None:
    """Draw synthetic lesions with known factors, in the form of HAM10000's download."""
    try:
        with progress("Phantoms", count) as meter:
            for done in write_phantoms(folder, count=count, seed=seed):
                meter(done)
    except CasekinError as error:
        raise stop(error) from error
    except OSError as error:
        raise stop(BadInput(f"{folder} cannot be written to: {error.strerror}; name another folder")) from error
    typer.echo(f"{count} phantoms in {folder}; factors.csv has the factors of each")
