"""`make demo DATA=` hands the folder on as one word, whatever is in its name."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("data", ["", "plain", "with a blank", 'it\'s "quoted"', "a;b&c|d", "größe (2)", "~/x"])
def test_make_demo__folder_is_one_argument(tmp_path: Path, data: str) -> None:
    stub = tmp_path / "casekin"
    stub.write_text('#!/bin/sh\nprintf "<%s>" "$#" "$@"\n')
    stub.chmod(0o755)
    command = ["make", "--silent", "-o", ".venv/.installed-standalone", "demo", f"BIN={tmp_path}", f"DATA={data}"]
    # Nothing else: an outer make hands its own flags and variables on, so that ARGS=-x of `make test` would come here.
    environment = {"PATH": os.environ["PATH"]}
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert made.stdout == (f"<2><demo><{data}>" if data else "<1><demo>")
