"""Naming a dimension through the page, before a real projector."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.ui.app import create_app
from services.ui.security.passwords import PasswordHash
from tests.unit.ui.conftest import Behind, Browser, Jobs, collection, over_asgi, text_of

PASSWORD = "a long password"
CHANGE = "name-history.children"


@pytest.fixture
async def signed_in(behind: Behind, jobs: Jobs) -> AsyncIterator[Browser]:
    users = f"dr.adler:{PasswordHash.of(PASSWORD)}"
    settings = behind.settings(host="0.0.0.0", users=users, projector_url=jobs.url)
    async with over_asgi(create_app(settings)) as client:
        client.auth = httpx.BasicAuth("dr.adler", PASSWORD)
        yield Browser(client)


async def test_rename_and_undo__are_kept_under_the_name_of_who_signed_in(signed_in: Browser, jobs: Jobs) -> None:
    model = (await collection(signed_in))["model"]
    before = model["dimensions"][1]
    answer = await signed_in.call(CHANGE, "name-save", named_dimension=1, name_text=" Warmth ", model=model)
    assert answer["model"]["data"]["dimensions"][1] == "Warmth"
    assert f"dr.adler renamed {before} to Warmth" in " ".join(text_of(answer["name-history"]["children"]).split())
    assert answer["name-undo"]["disabled"] is False
    assert (await collection(signed_in))["model"]["dimensions"][1] == "Warmth", "at once for everybody"
    renamed = answer["model"]["data"]
    taken_back = await signed_in.call(CHANGE, "name-undo", named_dimension=1, name_text="Warmth", model=renamed)
    assert taken_back["model"]["data"]["dimensions"][1] == before
    assert taken_back["name-undo"]["disabled"] is True
    changes = jobs.client.name_history(1).changes
    assert [(change.by, change.undo) for change in changes[:2]] == [("dr.adler", True), ("dr.adler", False)]


async def test_rename__where_nobody_signs_in_is_kept_as_local(browser_with_jobs: Browser, jobs: Jobs) -> None:
    model = (await collection(browser_with_jobs))["model"]
    await browser_with_jobs.call(CHANGE, "name-text", named_dimension=2, name_text="Coldness", model=model)
    assert jobs.client.name_history(2).changes[0].by == "local"


@pytest.mark.parametrize("text", ["", "Red", "x" * 61])
async def test_rename__that_is_refused_changes_nothing(browser_with_jobs: Browser, jobs: Jobs, text: str) -> None:
    model = (await collection(browser_with_jobs))["model"]
    answer = await browser_with_jobs.call(CHANGE, "name-save", named_dimension=3, name_text=text, model=model)
    assert answer["name-error"]["children"]["props"]["data-code"] == "bad-input"
    assert jobs.client.names().names[3] == "Centre brightness"


async def test_dialog__opens_with_the_name_and_its_history(browser_with_jobs: Browser) -> None:
    model = (await collection(browser_with_jobs))["model"]
    button = {"type": "rename", "dimension": 3}
    answer = await browser_with_jobs.call("name-modal.opened", button, model=model)
    assert answer["name-modal"]["opened"] is True
    assert (answer["named-dimension"]["data"], answer["name-text"]["value"]) == (3, "Centre brightness")
    assert "has not been changed" in text_of(answer["name-history"]["children"])
