import numpy as np

from training.latent_space.naming import name_dimensions


def test_name_dimensions__names_only_what_correlates_and_each_factor_once() -> None:
    random = np.random.default_rng(3)
    factors = random.normal(size=(300, 2))
    latents = np.stack([factors[:, 1], factors[:, 1] + 0.1 * random.normal(size=300), random.normal(size=300)], 1)
    factors[0] = np.nan  # an image without a mask
    assert name_dimensions(latents, factors, ["Size", "Redness"], [None, None, None]) == [
        "Redness",
        "Dimension 2",
        "Dimension 3",
    ]
    assert name_dimensions(latents, factors, ["Size", "Redness"], ["Towards mel", None, None])[:2] == [
        "Towards mel",
        "Redness",
    ]
