"""The shipped bundle on real images."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from casekin.bundle import open_bundle
from casekin.imaging.read import fit, read_image
from services.encoder.encoding import encode_upload
from services.encoder.model import Model
from tests import pictures


@pytest.fixture(scope="module")
def model(bundle: Path) -> Model:
    if not (bundle / "bundle.json").exists():
        pytest.skip(f"no bundle is shipped in {bundle} yet")
    return Model(open_bundle(bundle))


def test_encode__real_images(model: Model, bundle: Path, ham10000_full: Path) -> None:
    encoder = ort.InferenceSession(bundle / "encoder.onnx")
    mean = np.array([d.mean for d in model.manifest.dimensions])
    std = np.array([d.std for d in model.manifest.dimensions])
    for path in sorted(ham10000_full.glob("*.jpg"))[:20]:
        answer = encode_upload(model, path.read_bytes(), reconstruct=True)
        pixels = fit(read_image(path.read_bytes()), model.manifest.input)
        raw = encoder.run(["mean"], {"image": pixels[None]})[0][0]
        assert answer.latent == pytest.approx(((raw - mean) / std).tolist(), abs=1e-3)
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert answer.quality.reconstruction_error is not None


def test_encode__most_real_images_have_no_warnings(model: Model, ham10000_full: Path) -> None:
    paths = sorted(ham10000_full.glob("*.jpg"))
    warned = [path for path in paths if encode_upload(model, path.read_bytes(), reconstruct=True).quality.warnings]
    assert len(warned) <= 0.1 * len(paths)


def test_encode__a_chessboard_is_called_strange(model: Model) -> None:
    y, x = np.mgrid[0:450, 0:600]
    board = np.where((x // 75 + y // 75) % 2, 255, 0).astype(np.uint8)
    answer = encode_upload(model, pictures.saved(Image.fromarray(board), "PNG"), reconstruct=True)
    assert any("Poorly reconstructed" in warning for warning in answer.quality.warnings)
