"""All callbacks together, as Dash's own script gets them."""

from graphlib import TopologicalSorter

import httpx


async def test_callbacks__depend_on_each_other_in_no_circle(http: httpx.AsyncClient) -> None:
    """Dash's script calls none of the callbacks in a circle, and says so in the console only."""
    causes: dict[str, set[str]] = {}
    for spec in (await http.get("/_dash-dependencies")).json():
        inputs = {f"{one['id']}.{one['property']}" for one in spec["inputs"]}
        for output in spec["output"].strip(".").split("..."):
            # a second callback of an output has a node of its own there, ``id.property@hash``
            causes.setdefault(output, set()).update(inputs - {output})
    assert len(causes) > 50
    TopologicalSorter(causes).prepare()


async def test_polls__wait_for_the_answer_before_the_next_tick(http: httpx.AsyncClient) -> None:
    """Dash drops an answer once its callback is called again: ticks before a slow answer would lose them all."""
    polled = set()
    for spec in (await http.get("/_dash-dependencies")).json():
        for poll in (one["id"] for one in spec["inputs"] if one["property"] == "n_intervals"):
            polled.add(poll)
            assert spec["running"]["running"].get(f"{poll}.disabled") is True, poll
            sets_it = f"{poll}.disabled" in spec["output"]  # then the answer alone says whether there is another tick
            assert spec["running"]["runningOff"] == {f"{poll}.disabled": sets_it}, poll
    assert polled == {"collection-poll", "map-poll", "rollouts-poll", "jobs-poll"}
