"""What rollouts and ways start from, and that every callback that makes one asks for it."""

from typing import Any

import pytest

from casekin.contracts.rollouts import Rollout
from services.ui.session.subject import subject_of
from tests.unit.ui.conftest import Browser, collection, query

COLLECTION = {"info": {"title": "T"}, "bundle_version": "tiny-1", "cases": 1, "lesions": 1, "revision": "1"}


async def test_subject__is_the_case_that_the_search_starts_from_before_the_image(browser: Browser) -> None:
    asked = await query(browser)
    image, case = subject_of(asked, None, COLLECTION), subject_of(asked, "CASE_010", COLLECTION)
    assert image is not None
    assert case is not None
    assert (image.name, case.name) == ("your image", "case CASE_010")
    assert Rollout(**image.start).latent == asked["encoded"]["latent"]
    assert Rollout(**case.start) == Rollout(bundle_version="tiny-1", case="CASE_010")
    assert subject_of(None, None, COLLECTION) is None
    assert subject_of(None, "CASE_010", None) is None, "the collection is not known yet"


@pytest.mark.parametrize(
    ("output", "changed", "fault"),
    [("rollouts-job.data", "start-case", "rollouts-error"), ("joint-error.children", "joint-make", "joint-error"),
     ("case-path-data.data", "case-path-make", "case-path")],
)  # fmt: skip
async def test_subject__of_a_case_is_asked_of_the_projector_without_an_upload(
    browser: Browser, output: str, changed: str, fault: str
) -> None:
    values: dict[str, Any] = {"start_case": "CASE_010", "tabs": "rollouts", "joint_across": "0", "joint_down": "1"}
    values |= {"open_case": {"id": "CASE_003"}, "case_path_make": 1, "joint_make": 1, **await collection(browser)}
    answer = await browser.call(output, changed, **values)
    assert answer[fault]["children"]["props"]["data-code"] == "unavailable", "it is away here"
