"""What becomes of uploads in a real browser: good, bad, several, and forgotten."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import COUNT, Watched
from tests.file_search import files_with

expect.set_options(timeout=30_000)  # a loaded machine is slow, not wrong
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("note.jpg", b"Dear colleague, please find attached", "Not an image Casekin can read"),
        ("empty.png", b"", "The upload is empty"),
        ("huge.jpg", b"\xff\xd8\xff\xe0" + bytes(25_000_000), "the limit is 20 MB"),
        ("vast.jpg", b"\xff\xd8\xff\xe0" + bytes(30_000_000), "an image may have 20 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else None,
)
def test_upload__a_bad_file_is_said_in_words_and_the_page_goes_on(
    tab: Watched, lesion: Path, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    page = tab.open()
    tab.upload(lesion)
    bad = tmp_path / name
    bad.write_bytes(content)
    page.set_input_files("#upload input[type=file]", bad)
    fault = page.locator(".error-box:visible")
    expect(fault).to_contain_text(words)
    expect(page.locator("button.match-card")).to_have_count(0)  # the earlier image's are not this one's
    if name == "note.jpg":
        tab.shoot("8-bad-file")
    page.set_input_files("#upload input[type=file]", bad)  # the same file again is no dead end
    expect(fault).to_contain_text(words)
    tab.upload(lesion)
    expect(fault).to_have_count(0)


def test_upload__files_dropped_together_are_images_of_one_lesion(
    tab: Watched, lesion: Path, other_lesion: Path, tmp_path: Path
) -> None:
    page = tab.open()
    note = tmp_path / "note.jpg"
    note.write_bytes(b"Dear colleague, please find attached")
    page.set_input_files("#upload input[type=file]", [lesion, note, other_lesion])
    expect(page.locator("#query-name")).to_contain_text(lesion.name)
    expect(page.locator("#additional-names")).to_have_text(other_lesion.name)
    expect(page.locator(".error-box:visible")).to_contain_text("The image was not added (note.jpg)")
    page.wait_for_selector("button.match-card")
    tab.shoot("17-two-images")
    tab.upload(other_lesion)
    expect(page.locator("#additional-names")).to_be_empty()
    expect(page.locator(".error-box:visible")).to_have_count(0)


def test_upload__an_image_of_the_collection_is_set_apart(tab: Watched, tmp_path: Path) -> None:
    page = tab.open()
    case_id = "PHANTOM_0011_000041"
    phantom = tmp_path / "phantom.jpg"
    phantom.write_bytes(page.request.get(f"{tab.stack.urls['ui']}/images/{case_id}").body())
    tab.upload(phantom)
    own = page.locator("#own")
    expect(own).to_contain_text("This image is in the collection")
    expect(own).to_contain_text(f"{case_id} · the same image")
    expect(page.locator(f"button.match-card[data-case={case_id}]")).to_have_count(0)
    tab.shoot("9-phantom")


def test_upload__leaves_nothing_behind(tab: Watched, lesion: Path) -> None:
    page = tab.open()
    tab.upload(lesion)
    page.locator("#forget").click()
    expect(page.locator("#query-panel")).to_be_hidden()
    expect(page.locator("button.match-card")).to_have_count(0)
    assert not page.locator("#query-image").get_attribute("src")
    traces = (lesion.name.encode(), lesion.stem.encode(), lesion.read_bytes()[4096:4160])
    assert len(files_with(tab.stack.data, b"")) > COUNT
    assert files_with(tab.stack.data, *traces) == []
