"""Rollouts' callbacks before a real projector, with and without a worker."""

import json
from typing import Any

import pytest

from casekin.contracts.projector import JobState
from casekin.contracts.rollouts import Rollout
from tests.unit.ui.conftest import Browser, Jobs, collection, query, text_of

ROLL = "rollouts-job.data"


async def begun(browser: Browser, **values: Any) -> dict[str, Any]:
    return await browser.call(ROLL, "tabs", tabs="rollouts", **values)


async def test_rollouts__of_the_image_are_asked_for_once(browser_with_jobs: Browser, jobs: Jobs) -> None:
    values = {"query": await query(browser_with_jobs), **await collection(browser_with_jobs)}
    answer = await begun(browser_with_jobs, **values)
    held = answer["rollouts-job"]["data"]
    wanted = Rollout(bundle_version="tiny-1", latent=values["query"]["encoded"]["latent"], dimensions=[0, 1, 2, 3])
    assert held["id"] == jobs.client.submit(wanted).id
    assert answer["rollouts-poll"]["disabled"] is False
    again = await begun(browser_with_jobs, **values, rollouts_job=held)
    assert again["rollouts-job"]["data"] == held, "they are being made, and followed again after the tab was left"
    assert again["rollouts-poll"]["disabled"] is False
    shown = {**held, "shown": True}
    assert await begun(browser_with_jobs, **values, rollouts_job=shown) == {}, "they are on the page"
    same = {"preset": "clinical", "weights": None, "own_lesion": None}
    assert (
        await browser_with_jobs.call(ROLL, "nearness", tabs="rollouts", **values, rollouts_job=shown, nearness=same)
        == {}
    )
    assert await browser_with_jobs.call(ROLL, "query", tabs="matches", **values) == {}, "nobody looks"


@pytest.mark.parametrize(
    "near",
    [
        {"preset": "visual", "weights": None, "own_lesion": None},
        {"preset": "custom", "weights": [0.0, 1.0, 2.5, 0.0], "own_lesion": None},
        {"preset": "clinical", "weights": None, "own_lesion": "L3"},
    ],
)
async def test_rollouts__follow_the_weights_and_the_own_lesion_of_the_search(
    browser_with_jobs: Browser, jobs: Jobs, near: dict[str, Any]
) -> None:
    values = {"query": await query(browser_with_jobs, 7), **await collection(browser_with_jobs)}
    before = {**(await begun(browser_with_jobs, **values))["rollouts-job"]["data"], "shown": True, "whole": True}
    changed = {**values, "rollouts_job": before, "nearness": near}
    assert await browser_with_jobs.call(ROLL, "nearness", tabs="matches", **changed) == {}, "nobody looks"
    answer = await browser_with_jobs.call(ROLL, "nearness", tabs="rollouts", **changed)
    wanted = Rollout(bundle_version="tiny-1", latent=values["query"]["encoded"]["latent"], **near)
    assert answer["rollouts-job"]["data"]["id"] == jobs.client.submit(wanted).id, "of all dimensions, as before"
    assert "rollouts" not in answer, "the rows stay until the others are there"
    assert await browser_with_jobs.call("joint.children", "nearness", **changed) == {"joint": {"children": None}}


async def test_poll__goes_on_while_the_job_waits_and_stops_when_it_was_cancelled(
    browser_with_jobs: Browser, jobs: Jobs
) -> None:
    values = {"query": await query(browser_with_jobs, 4), "tabs": "rollouts", **await collection(browser_with_jobs)}
    held = (await begun(browser_with_jobs, **{k: v for k, v in values.items() if k != "tabs"}))["rollouts-job"]["data"]
    waiting = await browser_with_jobs.call(ROLL, "rollouts-poll", **values, rollouts_job=held)
    assert waiting["rollouts-poll"]["disabled"] is False
    jobs.client.cancel(held["id"])
    ended = await browser_with_jobs.call(ROLL, "rollouts-poll", **values, rollouts_job=held)
    assert ended["rollouts-poll"]["disabled"] is True
    assert ended["rollouts-error"]["children"]["props"]["data-code"] == "conflict"
    assert ended["rollouts-job"]["data"] is None


async def test_poll__stops_when_the_rollouts_are_there(browser_with_worker: Browser, worked_jobs: Jobs) -> None:
    values = {"query": await query(browser_with_worker, 5), **await collection(browser_with_worker)}
    held = (await begun(browser_with_worker, **values))["rollouts-job"]["data"]
    worked_jobs.client.job(held["id"], wait_s=20)
    done = await browser_with_worker.call(ROLL, "rollouts-poll", tabs="rollouts", **values, rollouts_job=held)
    assert worked_jobs.client.job(held["id"]).state is JobState.SUCCEEDED
    assert done["rollouts-poll"]["disabled"] is True
    assert done["rollouts-job"]["data"] == {**held, "shown": True}
    assert done["rollouts-all"]["hidden"] is True, "all four dimensions are shown"
    drawn = text_of(done["rollouts"]["children"])
    assert [name for name in values["model"]["dimensions"] if name not in drawn] == []
    renamed = {**values["model"], "dimensions": ["Warmth", *values["model"]["dimensions"][1:]]}
    again = await browser_with_worker.call(ROLL, "model", **{**values, "model": renamed}, rollouts_job=held)
    assert "Warmth" in text_of(again["rollouts"]["children"])


async def test_joint_and_moving_picture_and_way__are_made(browser_with_worker: Browser) -> None:
    near = {"preset": "custom", "weights": [0.0, 0.0, 1.0, 0.0], "own_lesion": "L3"}
    values = {"query": await query(browser_with_worker, 6), **await collection(browser_with_worker), "nearness": near}
    grid = await browser_with_worker.call(
        "joint-error.children", "joint-make", joint_across="0", joint_down="2", **values
    )
    drawn = " ".join(text_of(grid["joint"]["children"]).split())
    assert "Red grows to the right, Blue upwards" in drawn
    assert "by your own weights" in drawn
    way = {"open_case": {"id": "CASE_003"}, "case_path_make": 1}
    gone = await browser_with_worker.call("case-path-data.data", "case-path-make", **way, **values)
    drawn = text_of(gone["case-path"]["children"])
    assert "From your image to this case" in drawn
    assert "by your own weights" in drawn
    assert '"id": "CASE_003", "at": "path-10"' in json.dumps(gone["case-path"]["children"]), "nearest to itself"
    assert gone["case-path-make"]["hidden"] is True
