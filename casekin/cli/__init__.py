"""The `casekin` command, put together from one file per command."""

import io
import sys

import typer

from casekin.cli.bulk import bulk
from casekin.cli.delete import delete
from casekin.cli.demo import demo
from casekin.cli.export import export
from casekin.cli.import_table import import_cases
from casekin.cli.index import index
from casekin.cli.ingest import ingest
from casekin.cli.map import draw_map
from casekin.cli.phantoms import phantoms
from casekin.cli.snapshot import snapshot
from casekin.cli.up import up

app = typer.Typer(name="casekin", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Finds the dermatoscopic cases that look like the one on the screen, and shows why."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know every letter of a file name


app.command()(bulk)
app.command()(delete)
app.command()(demo)
app.command()(export)
app.command("import")(import_cases)
app.command()(ingest)
app.command("map")(draw_map)
app.command()(phantoms)
app.command()(up)
app.add_typer(index, name="index")
app.add_typer(snapshot, name="snapshot")
