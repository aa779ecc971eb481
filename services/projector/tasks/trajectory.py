"""``trajectory``: a straight line through the latent space, from a query to a case."""

from casekin.contracts.rollouts import Trajectory, TrajectoryResult
from services.projector.rollouts.steps import step_context
from services.projector.rollouts.trajectory import follow_line
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools
from services.projector.tasks.rollout_subject import manifest_of_steps, prepare_subject


class TrajectoryHandler(JobHandler[Trajectory, TrajectoryResult]):
    """A click: some hundred milliseconds."""

    payload, result, queue = Trajectory, TrajectoryResult, "interactive"

    def limit_s(self, settings: ProjectorSettings) -> int:
        """That of a click."""
        return settings.click_limit_s

    def prepare(self, payload: Trajectory, tools: SubmissionTools) -> tuple[Trajectory, list[str]]:
        """Raises `WrongLatent`, `WrongWeights`, `NotFound` where there is no such case, `Conflict`."""
        manifest_of_steps(payload, tools)
        return prepare_subject(payload, tools, payload.to)

    def run(self, job: RunningJob[Trajectory], tools: WorkerTools) -> TrajectoryResult:
        """Raises `NotFound` where a case was deleted meanwhile."""
        context, latent = step_context(job.payload, tools.encoder, tools.map_cache)
        return follow_line(job.payload, context, latent, job.report)
