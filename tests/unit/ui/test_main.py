import io
import os
import subprocess
import sys

import pytest

from services.ui.__main__ import main
from services.ui.security.passwords import PasswordHash


def test_hash_password__reads_a_line_and_prints_its_hash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("näher am Fall 7\n"))
    assert main(["hash-password"]) == 0
    assert PasswordHash.parse(capsys.readouterr().out.strip()).matches("näher am Fall 7")


def test_hash_password__too_short_says_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert main(["hash-password"]) == 2
    assert capsys.readouterr().err == "casekin: the password has 5 characters; use at least 10\n"


def test_main__an_unknown_argument_names_the_known_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hash"]) == 2
    assert "the only one is hash-password" in capsys.readouterr().err


def test_start__a_broken_hash_names_the_user_and_keeps_the_hash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CASEKIN_USERS", "anna:hunter2hunter2")
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "user anna" in said
    assert "hunter2" not in said


def test_start__open_to_others_without_users_ends_with_a_line() -> None:
    command = [sys.executable, "-m", "services.ui"]
    environment = os.environ | {"CASEKIN_HOST": "0.0.0.0", "CASEKIN_USERS": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 2
    assert "set CASEKIN_USERS" in done.stderr
    assert "Traceback" not in done.stderr
