"""Additional images of a lesion: what the server makes of each, and the queue in the browser that sends them."""

import json
import subprocess
from collections.abc import Sequence
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
        self._call("stage", ["upload.contents"], contents, 0, names)

    def forget(self) -> None:
        self._call("stage", ["forget.n_clicks"], None, 1, None)

    def add(self, *changed: str, **values: Any) -> None:
        contents, encoded, names, have = map(values.get, ("contents", "encoded", "names", "have"))
        self._call("addImages", changed, contents, encoded, [], None, None, names, have)

    def run(self) -> list[Any]:
        """What each call put out (``same`` where a value stays), and what it sent to the server."""
        program = f"""
            globalThis.window = globalThis;
            window.fetch = () => null;
            globalThis.document = {{ addEventListener() {{}} }};
            let sent = null;
            window.dash_clientside = {{ no_update: "same", set_props: (id, props) => (sent = [id, props.data]) }};
            Date.now = () => 1000;
            {SCRIPT.read_text()}
            const answers = [];
            function call(name, changed, values) {{
              const id = changed[0].slice(0, changed[0].lastIndexOf("."));
              window.dash_clientside.callback_context = {{
                triggered_id: id.startsWith("{{") ? JSON.parse(id) : id,
                triggered: changed.map((one) => ({{ prop_id: one, value: 1 }})),
              }};
              sent = null;
              const outputs = window.dash_clientside.casekin[name](...values);
              answers.push({{ outputs, sent }});
            }}
            {" ".join(self._steps)}
            console.log(JSON.stringify(answers));
        """
        done = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, check=True, timeout=60)
        answers: list[Any] = json.loads(done.stdout)
        return answers

    def _call(self, name: str, changed: Sequence[str], *values: Any) -> None:
        self._steps.append(f"call({json.dumps(name)}, {json.dumps(changed)}, {json.dumps(values)});")


@pytest.fixture
def tab() -> Tab:
    return Tab()


NEW_LESION = ("staged.data", "query.data")
"""Dash waits for the encoding before it calls what depends on both."""
ENCODED = "additional-encoded.data"


def test_two_files_dropped_at_once__the_second_waits_and_joins_as_an_additional_image(tab: Tab) -> None:
    tab.stage(["data:a", "data:b", "data:c"], ["a.jpg", "b.jpg", "c.jpg"])
    tab.add(*NEW_LESION)
    tab.add(ENCODED, encoded={"at": 1000.001, "image": {"name": "b.jpg"}})
    tab.add(ENCODED, encoded={"at": 1000.002, "image": None}, have=[{"name": "b.jpg"}])
    first, begun, joined, refused = tab.run()
    assert first["outputs"] == [{"contents": "data:a", "name": "a.jpg", "at": 1000}, None]
    assert begun["outputs"] == [None, "same", []], "images of the lesion before are gone"
    assert begun["sent"] == ["additional-staged", {"contents": "data:b", "name": "b.jpg", "at": 1000.001}]
    assert joined["outputs"][0] == [{"name": "b.jpg"}]
    assert joined["sent"][1]["name"] == "c.jpg", "one at a time"
    assert (refused["outputs"][0], refused["sent"]) == ("same", None)


def test_additional_images__are_not_sent_before_the_first_has_been_encoded(tab: Tab) -> None:
    tab.stage(["data:a", "data:b"], ["a.jpg", "b.jpg"])
    tab.add("staged.data")
    tab.add("query.data")
    _, staged, encoded = tab.run()
    assert staged["sent"] is None
    assert encoded["sent"][1]["name"] == "b.jpg"


def test_a_file_too_large_to_send__goes_without_its_contents_so_that_it_is_named(tab: Tab) -> None:
    tab.stage(["data:" + "x" * 35_000_001], ["vast.jpg"])
    [call] = tab.run()
    first = call["outputs"][0]
    assert (first["name"], first["contents"]) == ("vast.jpg", None)


def test_another_lesion__drops_what_waits_for_the_first(tab: Tab) -> None:
    tab.stage(["data:a", "data:b", "data:c"], ["a.jpg", "b.jpg", "c.jpg"])
    tab.add(*NEW_LESION)
    tab.stage(["data:d"], ["d.jpg"])
    tab.add(*NEW_LESION)
    tab.add(ENCODED, encoded={"at": 1000.001, "image": {"name": "b.jpg"}})
    *_, other, late = tab.run()
    assert (other["outputs"][0], other["sent"]) == (None, None)
    assert (late["outputs"], late["sent"]) == (["same"] * 3, None)


def test_forget__drops_what_waits(tab: Tab) -> None:
    tab.stage(["data:a", "data:b"], ["a.jpg", "b.jpg"])
    tab.forget()
    tab.add(*NEW_LESION)
    _, forgotten, after = tab.run()
    assert forgotten["outputs"] == [None, None]
    assert after["sent"] is None


def test_added_and_removed_images__are_kept_in_order(tab: Tab) -> None:
    tab.add("upload-additional.contents", contents=["data:b", "data:c"], names=["b.jpg", "c.jpg"])
    have = [{"name": "b.jpg"}, {"name": "c.jpg"}]
    tab.add('{"place":0,"type":"remove-additional"}.n_clicks', have=have)
    sent, removed = tab.run()
    assert (sent["sent"][1]["name"], sent["outputs"][1:]) == ("b.jpg", [None, []])
    assert removed["outputs"][0] == [{"name": "c.jpg"}]
