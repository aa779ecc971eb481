from pathlib import Path

import numpy as np

from tests.vocabularies import ham10000_vocabulary
from training.data.cases import read_collection
from training.data.image_cache import cached_pixels
from training.evaluation.robustness import DISTURBANCES, UNDISTURBED, Disturbance, disturbed_latents, robustness
from training.evaluation.split import Split, Vectors
from training.evaluation.systems import BundleSystem


def test_robustness__disturbs_queries_only(collection_folder: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    system, collection = BundleSystem(tiny_bundle), read_collection(collection_folder)
    cases, sources = collection.cases, collection.images
    pixels = cached_pixels(sources, [case.id for case in cases], system.input, tmp_path).pixels
    latents = system.embed(pixels)
    split = Split(cases, ham10000_vocabulary(*system.classes), (0,))
    nothing = Disturbance("nothing", lambda image, _: image)
    np.testing.assert_allclose(disturbed_latents(system, split, sources, nothing), latents[split.queries], atol=1e-5)
    darker = next(one for one in DISTURBANCES if one.name == "a quarter darker")
    blackout = Disturbance("lens cap on", lambda image, _: image.point(lambda _: 0))
    vectors = Vectors("tiny", latents, np.ones(4))
    found = robustness(system, split, vectors, sources, [nothing, darker, blackout])
    assert list(found) == [UNDISTURBED, "nothing", "a quarter darker", "lens cap on"]
    # Colours tell these diagnoses; a darker image is taken for the darkest of them, a black one tells nothing.
    assert found[UNDISTURBED] == found["nothing"]
    assert found[UNDISTURBED]["p_at_1_macro"].value > 0.9
    assert found["a quarter darker"]["p_at_1_macro"].value < found[UNDISTURBED]["p_at_1_macro"].value
    assert found["lens cap on"]["p_at_1_macro"].value == 1 / 3
