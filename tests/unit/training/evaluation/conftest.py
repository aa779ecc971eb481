"""Pictures that look like skin, and cases around them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from casekin.phantoms.draw import draw
from casekin.phantoms.population import make_up
from training.data.cases import LabelledCase


@pytest.fixture(scope="session")
def pictures() -> npt.NDArray[np.uint8]:
    """Sixteen phantoms of as many lesions, uint8 [16,96,128,3]."""
    lesions = {phantom.lesion_id: phantom for phantom in make_up(60, seed=4)}
    chosen = list(lesions.values())[:16]
    return np.stack(
        [np.asarray(draw(p.factors, lesion_seed=p.lesion_seed, view_seed=p.view_seed, size=(128, 96))) for p in chosen]
    )


@pytest.fixture
def case() -> Callable[..., LabelledCase]:
    """Make a case of its number; whatever is not named is that of any other."""

    def make(number: int, **told: object) -> LabelledCase:
        known = {"lesion": f"lesion {number}", "diagnosis": "nv", "fold": 1} | told
        return LabelledCase(id=f"image {number}", **known)  # type: ignore[arg-type]

    return make
