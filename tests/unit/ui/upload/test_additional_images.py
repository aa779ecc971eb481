"""Additional images of a lesion: what the server makes of each, and the queue in the browser that sends them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import playwright
import pytest

from services.ui.upload.additional_images import MOST_IMAGES
from tests.unit.ui.conftest import Browser, add, picture, query, staged, text_of

NODE = Path(playwright.__file__).parent / "driver" / "node"
"""Comes with Playwright."""
SCRIPT = Path(__file__).parents[4] / "services" / "ui" / "assets" / "casekin.js"


def refusal(answer: dict[str, Any]) -> tuple[str, str]:
    """Code and words of the error that was added to those that are shown."""
    [operation] = answer["additional-errors"]["children"]["operations"]
    box = operation["params"]["value"]
    return box["props"]["data-code"], text_of(box)


async def test_add__gives_the_image_back_with_the_time_it_was_chosen(browser: Browser) -> None:
    image = {**staged(picture(9), "second.jpg"), "at": 17.5}
    answer = await add(browser, image, query=await query(browser))
    encoded = answer["additional-encoded"]["data"]
    assert (encoded["at"], encoded["image"]["name"], len(encoded["image"]["latent"])) == (17.5, "second.jpg", 4)
    assert "additional-errors" not in answer


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"contents": "data:text/plain;base64,aGVsbG8="}, "unsupported-image", "second.jpg"),
        ({"contents": None}, "upload-too-large", "second.jpg"),
    ],
)
async def test_add__what_cannot_be_read_is_named(browser: Browser, changed: Any, code: str, words: str) -> None:
    answer = await add(browser, {**staged(picture(9), "second.jpg"), **changed}, query=await query(browser))
    assert refusal(answer)[0] == code
    assert words in refusal(answer)[1]
    assert answer["additional-encoded"]["data"] == {"at": 1, "image": None}, "the next one is sent"


async def test_add__without_a_first_image_is_named(browser: Browser) -> None:
    code, words = refusal(await add(browser, staged(picture(9), "second.jpg")))
    assert code == "bad-input"
    assert "second.jpg" in words


async def test_add__one_too_many_is_named_and_drops_no_other(browser: Browser) -> None:
    image = await query(browser)
    before = [{"name": "x", "bundle_version": "tiny-1", "latent": [0.0] * 4}] * (MOST_IMAGES - 2)
    assert (await add(browser, staged(picture(9)), query=image, additional=before))["additional-encoded"]["data"][
        "image"
    ]
    code, words = refusal(
        await add(browser, staged(picture(9), "ninth.jpg"), query=image, additional=before + before[:1])
    )
    assert code == "bad-input"
    assert "ninth.jpg" in words
    assert "takes 8 images" in words


async def test_add__of_another_model_than_the_first_is_named(browser: Browser) -> None:
    image = await query(browser)
    image["encoded"]["bundle_version"] = "older-1"
    code, words = refusal(await add(browser, staged(picture(9)), query=image))
    assert code == "wrong-latent"
    assert "older-1" in words


class Tab:
    """The script's functions in Node, called as Dash's own script calls them."""

    def __init__(self) -> None:
        self._steps: list[str] = []

    def stage(self, contents: list[str], names: list[str]) -> None:
        self._call("stage", "upload", "contents", contents, 0, names)

    def forget(self) -> None:
        self._call("stage", "forget", "n_clicks", None, 1, None)

    def add(
        self, cause: Any, prop: str, *, contents: Any = None, encoded: Any = None, names: Any = None, have: Any = None
    ) -> None:
        self._call("addImages", cause, prop, contents, encoded, [], None, None, names, have)

    def run(self) -> list[Any]:
        """What each call answered; a value that stays is ``same``."""
        program = f"""
            globalThis.window = globalThis;
            window.fetch = () => null;
            globalThis.document = {{ addEventListener() {{}} }};
            window.dash_clientside = {{ no_update: "same" }};
            Date.now = () => 1000;
            {SCRIPT.read_text()}
            const answers = [];
            function call(name, cause, prop, values) {{
              const id = typeof cause === "string" ? cause : JSON.stringify(cause);
              window.dash_clientside.callback_context = {{
                triggered_id: cause, triggered: [{{ prop_id: id + "." + prop, value: 1 }}] }};
              answers.push(window.dash_clientside.casekin[name](...values));
            }}
            {" ".join(self._steps)}
            console.log(JSON.stringify(answers));
        """
        done = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, check=True, timeout=60)
        answers: list[Any] = json.loads(done.stdout)
        return answers

    def _call(self, name: str, cause: Any, prop: str, *values: Any) -> None:
        self._steps.append(f"call({json.dumps(name)}, {json.dumps(cause)}, {json.dumps(prop)}, {json.dumps(values)});")


@pytest.fixture
def tab() -> Tab:
    return Tab()


def test_two_files_dropped_at_once__the_second_waits_and_joins_as_an_additional_image(tab: Tab) -> None:
    tab.stage(["data:a", "data:b", "data:c"], ["a.jpg", "b.jpg", "c.jpg"])
    tab.add("staged", "data")
    tab.add("query", "data")
    tab.add("additional-encoded", "data", encoded={"at": 1000.001, "image": {"name": "b.jpg"}})
    tab.add("additional-encoded", "data", encoded={"at": 1000.002, "image": None}, have=[{"name": "b.jpg"}])
    first, cleared, sent, joined, refused = tab.run()
    assert first == [{"contents": "data:a", "name": "a.jpg", "at": 1000}, None]
    assert cleared == [None, "same", "same", []]
    assert sent[1] == {"contents": "data:b", "name": "b.jpg", "at": 1000.001}, "one at a time"
    assert joined[0] == [{"name": "b.jpg"}]
    assert joined[1]["name"] == "c.jpg"
    assert refused[:2] == ["same", "same"]


def test_a_file_too_large_to_send__goes_without_its_contents_so_that_it_is_named(tab: Tab) -> None:
    tab.stage(["data:" + "x" * 35_000_001], ["vast.jpg"])
    [[first, _]] = tab.run()
    assert (first["name"], first["contents"]) == ("vast.jpg", None)


def test_another_lesion__drops_what_waits_for_the_first(tab: Tab) -> None:
    tab.stage(["data:a", "data:b"], ["a.jpg", "b.jpg"])
    tab.add("staged", "data")
    tab.add("query", "data")
    tab.stage(["data:d"], ["d.jpg"])
    tab.add("staged", "data")
    tab.add("additional-encoded", "data", encoded={"at": 1000.001, "image": {"name": "b.jpg"}})
    tab.add("query", "data")
    *_, late, nothing = tab.run()
    assert late == ["same"] * 4
    assert nothing[:2] == ["same", "same"]


def test_added_and_removed_images__are_kept_in_order(tab: Tab) -> None:
    tab.add("upload-additional", "contents", contents=["data:b", "data:c"], names=["b.jpg", "c.jpg"])
    have = [{"name": "b.jpg"}, {"name": "c.jpg"}]
    tab.add({"type": "remove-additional", "place": 0}, "n_clicks", have=have)
    sent, removed = tab.run()
    assert (sent[1]["name"], sent[2], sent[3]) == ("b.jpg", None, [])
    assert removed[0] == [{"name": "c.jpg"}]
