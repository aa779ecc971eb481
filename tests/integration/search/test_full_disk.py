"""A disk that is full for real: a small tmpfs in a mount namespace of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILL = """
import os, sys
from pathlib import Path
import numpy as np
from casekin.clients.search import SearchClient
from casekin.errors import StorageFull
from services.search.app import create_app
from tests.integration.search.conftest import settings_in
from tests.integration.search.made import batch, collection, image
from tests.serving import serving

disk, reserve = Path(sys.argv[1]), int(sys.argv[2])
cases = collection(64)

def put(client, start):
    made, _ = batch(cases[start : start + 8])
    client.put_cases(made, {one.case.id: image(one.case.id, (400, 300)) for one in cases[start : start + 8]})

with serving(create_app(settings_in(disk).model_copy(update={"reserve_mb": reserve}))) as url:
    with SearchClient(url, attempts=1) as client:
        put(client, 0)
        ballast = os.open(disk / "ballast", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(ballast, bytes(4096))
        except OSError:
            os.close(ballast)
        os.truncate(disk / "ballast", (disk / "ballast").stat().st_size - 40_000)
        try:
            put(client, 8)
            sys.exit("a full disk was not noticed")
        except StorageFull as error:
            print("said:", error)
        assert client.collection().cases == 8
        assert client.image(cases[3].case.id)[1] == "image/jpeg"
        files = [path for path in disk.rglob("*~*")]
        assert len(files) == 16, files
        (disk / "ballast").unlink()
        put(client, 8)
        assert client.collection().cases == 16
        assert client.image(cases[12].case.id)[1] == "image/jpeg"
print("and went on")
"""


@pytest.mark.parametrize(("reserve_mb", "text"), [(0, "no space left"), (8, "must stay free")])
def test_full_disk__is_named_and_nothing_is_half_written(tmp_path: Path, reserve_mb: int, text: str) -> None:
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=150m tmpfs {tmp_path}"
    if subprocess.run([*namespace, mount], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace here: unshare or mount is not permitted")
    program = [sys.executable, "-c", FILL, str(tmp_path), str(reserve_mb)]
    done = subprocess.run(
        [*namespace, f'{mount} && exec "$@"', "sh", *program],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert text in done.stdout
    assert "and went on" in done.stdout
