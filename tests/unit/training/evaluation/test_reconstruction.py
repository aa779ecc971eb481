from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.decomposition import PCA
from torchmetrics.functional.image import structural_similarity_index_measure

from casekin.contracts.bundle import OutputSpec
from tests.vocabularies import ham10000_vocabulary
from training.evaluation.reconstruction import by_components, quality, reconstruction
from training.evaluation.split import Split
from training.evaluation.systems import BundleSystem

OUTPUT = OutputSpec(height=48, width=64)
Pixels = npt.NDArray[np.uint8]


def test_quality__of_the_images_themselves_is_perfect(pictures: Pixels) -> None:
    size = OutputSpec(height=96, width=128)
    rows = np.array([3, 5, 9])
    own = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    found = quality(lambda some: own[rows[some]], pictures, rows, size)
    np.testing.assert_allclose(found.similarity, 1, atol=1e-5)
    np.testing.assert_allclose(found.squared_error, 0, atol=1e-9)


def test_by_components__agrees_with_scikit_learn(pictures: Pixels) -> None:
    train, test = np.arange(12), np.arange(12, 16)
    flat = _small(pictures).reshape(16, -1)
    model = PCA(5, svd_solver="full").fit(flat[train])
    rebuilt = model.inverse_transform(model.transform(flat[test])).clip(0, 1)
    found = by_components(pictures, train, test, OUTPUT, 5)
    np.testing.assert_allclose(found.squared_error, ((rebuilt - flat[test]) ** 2).mean(1), rtol=1e-3)
    images = [torch.from_numpy(x.reshape(4, 3, 48, 64)).float() for x in (rebuilt, flat[test])]
    _, full = structural_similarity_index_measure(*images, data_range=1.0, return_full_image=True)
    inner = full[..., 5:-5, 5:-5].mean((1, 2, 3))  # torchmetrics counts reflected borders too
    np.testing.assert_allclose(found.similarity, inner, atol=2e-3)


def test_reconstruction__stands_beside_components_and_by_diagnosis(  # type: ignore[no-untyped-def]
    tiny_bundle: Path, pictures: Pixels, case
) -> None:
    system = BundleSystem(tiny_bundle)
    pixels = np.ascontiguousarray(pictures[:, ::2, ::2])
    cases = [case(i, fold=int(i >= 6), diagnosis="mel" if i % 3 == 0 else "nv") for i in range(16)]
    split = Split(cases, ham10000_vocabulary(*system.classes), (0,))
    latents = system.embed(pixels)
    found = reconstruction(lambda rows: torch.from_numpy(system.reconstruct(latents[rows])), 4, OUTPUT, split, pixels)
    assert found.components == 4
    assert found.by_diagnosis.keys() == {"mel", "nv"}
    decoded = system.reconstruct(system.embed(pixels[:6]))
    error = np.square(decoded - pixels[:6].transpose(0, 3, 1, 2) / 255).mean()
    assert found.overall["mse"].value == pytest.approx(error, rel=1e-4)
    components = by_components(pixels, split.gallery, split.queries, OUTPUT, 4)
    assert found.overall["ssim_pca"].value == pytest.approx(components.similarity.mean(), rel=1e-3)
    per_class = found.by_diagnosis["mel"]["mse"].value * 2 + found.by_diagnosis["nv"]["mse"].value * 4
    assert per_class / 6 == pytest.approx(found.overall["mse"].value)


def _small(pictures: Pixels) -> npt.NDArray[np.float64]:
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    size = (OUTPUT.height, OUTPUT.width)
    return torch.nn.functional.interpolate(images, size, mode="bilinear", antialias=True).double().numpy()
