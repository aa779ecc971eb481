"""What docker-compose.yml and the Dockerfiles promise; that they run is tried by deploy/trial/run."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
SECRETS = ("CASEKIN_API_KEY", "CASEKIN_USERS", "QDRANT_API_KEY", "REDIS_PASSWORD")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("env") / ".env"
    made = run(sys.executable, "-m", "deploy.make_env", file)
    assert made.returncode == 0, made.stderr
    return file


@pytest.fixture(scope="module")
def services(env_file: Path) -> dict[str, Any]:
    command = (TOOLS / "docker-compose", "--env-file", env_file, "--profile", "*", "config", "--format", "json")
    shown = run(*command)
    assert shown.returncode == 0, shown.stderr
    return dict(json.loads(shown.stdout)["services"])


def test_secrets__are_private_and_stay(env_file: Path) -> None:
    before = env_file.read_text()
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    again = run(sys.executable, "-m", "deploy.make_env", env_file)
    assert "stays as it is" in again.stdout
    assert env_file.read_text() == before


def test_users__are_what_the_page_takes(services: dict[str, Any]) -> None:
    from services.ui.security.passwords import parse_users

    given = services["ui"]["environment"]["CASEKIN_USERS"].replace("$$", "$")
    assert list(parse_users(given)) == ["clinician"]


@pytest.mark.parametrize("secret", SECRETS)
def test_compose__says_which_secret_is_missing(secret: str, env_file: Path, tmp_path: Path) -> None:
    lines = [line for line in env_file.read_text().splitlines() if not line.startswith(f"{secret}=")]
    (tmp_path / "env").write_text("\n".join(lines))
    shown = run(TOOLS / "docker-compose", "--env-file", tmp_path / "env", "config", "--quiet")
    assert shown.returncode != 0
    assert secret in shown.stderr
    assert "make secrets" in shown.stderr


def test_compose__publishes_the_page_alone_and_to_this_host_alone(services: dict[str, Any]) -> None:
    published = {
        (name, port["host_ip"], port["published"]) for name, s in services.items() for port in s.get("ports", [])
    }
    assert published == {("ui", "127.0.0.1", "8100")}
    assert [name for name, service in services.items() if set(service["networks"]) != {"inside"}] == ["ui"]


def test_compose__hardens_all(services: dict[str, Any]) -> None:
    assert len(services) == 12
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name


def test_compose__waits_for_health(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy", f"{name} on {needed}"
    assert set(services["ui"]["depends_on"]) == {"projector-api"}
    assert set(services["projector-api"]["depends_on"]) == {"redis", "encoder", "search"}


def test_compose__lets_fits_and_ingests_wait_for_clicks(services: dict[str, Any]) -> None:
    yielding = {name for name, service in services.items() if "cpu_shares" in service}
    assert yielding == {"worker-maps", "worker-bulk"}
    assert all(services[name]["cpu_shares"] == 102 for name in yielding)


@pytest.mark.parametrize("file", ["deploy/Dockerfile", "deploy/trial/redis.Dockerfile"])
def test_dockerfile__is_clean(file: str) -> None:
    found = run(TOOLS / "hadolint", file)
    assert found.returncode == 0, found.stdout
    assert "syntax=" not in (ROOT / file).read_text().splitlines()[0]
