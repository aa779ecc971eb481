import httpx
import pytest

from tests.unit.ui.conftest import picture


async def test_image__is_passed_on_as_ingested(http: httpx.AsyncClient) -> None:
    answer = await http.get("/images/CASE_004")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content == picture(4)


async def test_thumbnail__is_passed_on(http: httpx.AsyncClient) -> None:
    answer = await http.get("/thumbnails/CASE_004")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("image/")


@pytest.mark.parametrize("kind", ["images", "thumbnails"])
async def test_image__unknown_case(http: httpx.AsyncClient, kind: str) -> None:
    answer = await http.get(f"/{kind}/NOBODY")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("case_id", ["%2e%2e%2fsecret", "a b", "-x"])
async def test_image__an_id_is_never_a_path(http: httpx.AsyncClient, case_id: str) -> None:
    assert (await http.get(f"/images/{case_id}")).status_code in (404, 422)
