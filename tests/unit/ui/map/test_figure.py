from math import hypot

import pytest

from casekin.contracts.cases import Case
from casekin.contracts.collection import CollectionInfo, Diagnosis
from casekin.contracts.maps import CaseMap, Placement
from casekin.contracts.search import Match, NeighbourStatistics, SearchResponse
from services.ui.map.figure import PAPER, map_figure, overlays
from services.ui.presentation.colours import contrast
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.service_cache import PlacedMap
from services.ui.session.stores import MapLook, MapPath
from tests.laid import PLACING, map_id, version

VOCABULARY = Vocabulary(
    CollectionInfo(
        title="T",
        diagnoses=[
            Diagnosis(code="mel", name="Melanoma", colour="#332288"),
            Diagnosis(code="nv", name="Nevus", colour="#f0e442"),
        ],
    )
)
LIGHT = MapLook(scheme="light", engine="scattergl")


def placed(diagnoses: tuple[str | None, ...] = ("nv", "mel", "nv", None)) -> PlacedMap:
    count = len(diagnoses)
    document = CaseMap(
        version=version(count),
        cases=[f"C{row}" for row in range(count)],
        diagnoses=list(diagnoses),
        x=[float(row) for row in range(count)],
        y=[-float(row) for row in range(count)],
    )
    return PlacedMap(document)


def found(*ids: str) -> SearchResponse:
    matches = [Match(case=Case(id=one), distance=1, similarity=0.5, contributions=[1.0]) for one in ids]
    return SearchResponse(
        matches=matches,
        statistics=NeighbourStatistics(
            neighbours=0, diagnoses=[], agreement=0, conformal=None, out_of_distribution=None, uncalibrated=None
        ),
        passing=4,
        revision="r",
        more=False,
        own=[],
        excluded_by=[],
    )


def placement(of: str = map_id()) -> Placement:
    return Placement(map_id=of, x=0.5, y=0.25, spread=0.02, error=PLACING[0], neighbours=["C0"])


def test_map__every_case_is_drawn_once_under_its_diagnosis() -> None:
    traces = map_figure(placed(), VOCABULARY, LIGHT).data
    assert [trace.name for trace in traces] == ["Melanoma (1)", "Nevus (2)", "unknown (1)"]
    assert [list(trace.customdata) for trace in traces] == [["C1"], ["C0", "C2"], ["C3"]]
    assert (traces[1].x, traces[1].y) == ((0.0, 2.0), (0.0, -2.0))


def test_map__colour_is_not_the_only_sign() -> None:
    symbols = [trace.marker.symbol for trace in map_figure(placed(), VOCABULARY, LIGHT).data]
    assert len(set(symbols)) == len(symbols)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_map__every_colour_stands_out_from_the_page(scheme: str) -> None:
    figure = map_figure(placed(), VOCABULARY, MapLook.model_validate({"scheme": scheme, "engine": "scattergl"}))
    assert all(contrast(trace.marker.color, PAPER[scheme]) >= 3 for trace in figure.data)


def test_map__without_webgl_it_is_drawn_as_svg() -> None:
    figure = map_figure(placed(), VOCABULARY, MapLook(scheme="light", engine="scatter"))
    assert {trace.type for trace in figure.data} == {"scatter"}


def test_overlays__matches_are_ringed_with_their_rank_where_the_map_has_them() -> None:
    matches, *_ = overlays(placed(), found("C2", "LATER", "C0"), None, None, LIGHT)
    assert matches["customdata"] == ["C2", "C0"]
    assert matches["text"] == ["1", "3"]
    assert (matches["x"], matches["y"]) == ([2.0, 0.0], [-2.0, 0.0])


def test_overlays__the_query_is_a_star_on_the_map_it_was_placed_on() -> None:
    *_, query = overlays(placed(), None, placement(), None, LIGHT)
    assert (query["x"], query["y"], query["marker"]["symbol"]) == ([0.5], [0.25], "star")


def test_overlays__a_placement_on_an_older_map_is_not_drawn() -> None:
    *_, query = overlays(placed(), None, placement(map_id(9)), None, LIGHT)
    assert (query["x"], query["showlegend"]) == ([], False)


def test_overlays__the_ring_is_as_wide_as_nine_in_ten_places_are_off() -> None:
    ring = overlays(placed(), None, placement(), None, LIGHT)[2]
    radii = {round(hypot(x - 0.5, y - 0.25), 3) for x, y in zip(ring["x"], ring["y"], strict=True)}
    assert radii == {round(PLACING[0].p90 * 3, 3)}, "the map is 3 wide"
    unsure = placement().model_copy(update={"error": None})
    assert overlays(placed(), None, unsure, None, LIGHT)[2]["x"] == []


def test_overlays__a_way_is_a_line_on_its_own_map_only() -> None:
    way = MapPath(map_id=map_id(), name="Size", x=[0.0, 1.0], y=[0.0, 2.0])
    drawn = overlays(placed(), None, None, way, LIGHT)[1]
    assert (drawn["x"], drawn["y"], drawn["name"]) == ([0.0, 1.0], [0.0, 2.0], "Size")
    other = overlays(placed(), None, None, way.model_copy(update={"map_id": map_id(9)}), LIGHT)[1]
    assert (other["x"], other["showlegend"]) == ([], False)
