"""What `make` leaves of the environment to what it runs."""

import os
import subprocess

from tests.conftest import ROOT


def test_make__lets_python_cache_bytecode_where_the_environment_forbids_it() -> None:
    shows = "--eval=shows: ; @echo $${PYTHONDONTWRITEBYTECODE-unset}"
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["make", "--silent", shows, "shows"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "unset\n"
