"""The encoder starts on a bundle it can vouch for, says so, and refuses any other in one line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from casekin.bundle import open_bundle
from casekin.clients import EncoderClient
from casekin.errors import BundleRefused, UploadTooLarge
from services.encoder.app import create_app
from services.encoder.model import Model
from services.encoder.settings import EncoderSettings
from tests import pictures
from tests.serving import serving
from tests.tiny_bundle import write_manifest


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bundle, tmp_path / "copy")


def start(bundle: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CASEKIN_BUNDLE": str(bundle), "CASEKIN_PORT": "0", **settings}
    return subprocess.run(
        [sys.executable, "-m", "services.encoder"],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_start__wrong_hash(copy: Path) -> None:
    data = bytearray((copy / "encoder.onnx").read_bytes())
    data[-1] ^= 1
    (copy / "encoder.onnx").write_bytes(data)
    ended = start(copy)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith(f"casekin: {copy / 'encoder.onnx'}: expected sha256 ")


def test_start__wrong_settings(tiny_bundle: Path) -> None:
    ended = start(tiny_bundle, CASEKIN_HOST="0.0.0.0", CASEKIN_API_KEY="tooshort")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "CASEKIN_API_KEY" in ended.stderr
    assert "tooshort" not in ended.stderr


def test_model__graph_of_another_shape(copy: Path) -> None:
    model = onnx.load(copy / "head.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    model.graph.input[0].name = model.graph.node[0].input[0] = "code"
    onnx.save(model, copy / "head.onnx")
    write_manifest(copy)
    with pytest.raises(BundleRefused, match=r"head\.onnx: expected inputs latent, found code"):
        Model(open_bundle(copy))


def test_model__manifest_of_another_size(copy: Path) -> None:
    text = (copy / "bundle.json").read_text()
    (copy / "bundle.json").write_text(text.replace('"height": 48', '"height": 96', 1))
    with pytest.raises(
        BundleRefused, match=r"encoder\.onnx: expected to take image \(1, 3, 96, 64\).*Got: 96 Expected: 48"
    ):
        Model(open_bundle(copy))


def test_model__outputs_of_another_size(copy: Path) -> None:
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["classes"].append("other")
    (copy / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleRefused, match=r"head\.onnx: expected the output probabilities \(1, 8\).*found \(1, 7\)"):
        Model(open_bundle(copy))


def test_model__graph_of_a_fixed_batch(copy: Path) -> None:
    model = onnx.load(copy / "decoder.onnx")
    shape = numpy_helper.from_array(np.array([1, 4], np.int64), "fixed")
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, helper.make_node("Reshape", ["latent", "fixed"], ["one"]))
    model.graph.node[1].input[0] = "one"
    onnx.save(model, copy / "decoder.onnx")
    write_manifest(copy)
    with pytest.raises(BundleRefused, match=r"decoder\.onnx: expected to take latent \(2, 4\)"):
        Model(open_bundle(copy))


def test_model__not_a_graph(copy: Path) -> None:
    (copy / "decoder.onnx").write_bytes(b"not a graph")
    write_manifest(copy)
    with pytest.raises(BundleRefused, match=r"decoder\.onnx: ONNX Runtime cannot load it"):
        Model(open_bundle(copy))


def test_client__over_a_real_socket(tiny_bundle: Path) -> None:
    with serving(create_app(EncoderSettings(bundle=tiny_bundle))) as url, EncoderClient(url) as client:
        assert client.is_ready()
        png = pictures.saved(pictures.lesion(), "PNG")
        before = client.encode(png)
        with pytest.raises(UploadTooLarge, match=r"25\.0 MB were sent; the limit is 20 MB"):
            client.encode(bytes(25_000_000))
        assert client.encode(png) == before
        assert client.model().manifest.version == before.bundle_version


def test_key__is_asked_for(tiny_bundle: Path) -> None:
    settings = EncoderSettings(bundle=tiny_bundle, api_key="a key of more than sixteen")
    with serving(create_app(settings)) as url:
        assert httpx.post(f"{url}/v1/encode", content=b"x").status_code == 401
        assert httpx.get(f"{url}/ready").status_code == 200
