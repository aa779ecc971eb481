"""Paths on the map: of a dimension's rollout, and from the query to a case."""

from collections.abc import Sequence

from casekin.contracts.rollouts import RolloutResult, Step, TrajectoryResult
from services.ui.presentation import texts
from services.ui.session.stores import MapPath


def paths_by_dimension(result: RolloutResult, names: Sequence[str]) -> dict[str, MapPath] | None:
    """The path of each dimension by its index, as text; none where the rollouts have no places on a map."""
    if result.map_id is None:
        return None
    return {
        str(row.dimension): _path(result.map_id, texts.dimension_name(row.dimension, names), row.steps)
        for row in result.rows
    }


def path_to_case(result: TrajectoryResult) -> MapPath | None:
    """The path to a case; none where it has no places on a map."""
    return None if result.map_id is None else _path(result.map_id, f"Path to {result.to}", result.steps)


def _path(map_id: str, name: str, steps: Sequence[Step]) -> MapPath:
    placed = [(step.x, step.y) for step in steps if step.x is not None and step.y is not None]
    return MapPath(map_id=map_id, name=name, x=[x for x, _ in placed], y=[y for _, y in placed])
