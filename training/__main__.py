"""`python -m training` is `casekin-train`."""

from training.cli import app

app()
