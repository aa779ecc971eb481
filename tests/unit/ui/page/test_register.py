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
