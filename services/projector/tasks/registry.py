"""Every kind of job: one line each."""

from collections.abc import Iterable

from services.projector.jobs.kinds import JobKind
from services.projector.settings import ProjectorSettings
from services.projector.tasks.animation import AnimationHandler
from services.projector.tasks.export import ExportHandler
from services.projector.tasks.handler import AnyHandler
from services.projector.tasks.ingest import IngestHandler
from services.projector.tasks.joint_rollout import JointRolloutHandler
from services.projector.tasks.map_fit import MapFitHandler
from services.projector.tasks.map_place import MapPlaceHandler
from services.projector.tasks.reindex import ReindexHandler
from services.projector.tasks.rollout import RolloutHandler
from services.projector.tasks.trajectory import TrajectoryHandler

HANDLERS: tuple[AnyHandler, ...] = (
    MapFitHandler(),
    MapPlaceHandler(),
    RolloutHandler(),
    JointRolloutHandler(),
    AnimationHandler(),
    TrajectoryHandler(),
    IngestHandler(),
    ExportHandler(),
    ReindexHandler(),
)


def job_kinds(handlers: Iterable[AnyHandler], settings: ProjectorSettings) -> dict[str, JobKind]:
    """The kinds of `handlers` by name."""
    return {handler.name: handler.kind(settings) for handler in handlers}
