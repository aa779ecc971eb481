"""``rollout``: each dimension varied over its range."""

from casekin.contracts.rollouts import Rollout, RolloutResult
from services.projector.rollouts.rollouts import check_dimensions, roll_out
from services.projector.rollouts.steps import step_context
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools
from services.projector.tasks.rollout_subject import manifest_of_steps, prepare_subject


class RolloutHandler(JobHandler[Rollout, RolloutResult]):
    """A click: some hundred milliseconds."""

    payload, result, queue = Rollout, RolloutResult, "interactive"

    def limit_s(self, settings: ProjectorSettings) -> int:
        """That of a click."""
        return settings.click_limit_s

    def prepare(self, payload: Rollout, tools: SubmissionTools) -> tuple[Rollout, list[str]]:
        """Raises `WrongLatent`, `WrongWeights`, `NotFound`, `Conflict`; `BadInput` for an unknown dimension."""
        check_dimensions(payload.dimensions, manifest_of_steps(payload, tools))
        return prepare_subject(payload, tools)

    def run(self, job: RunningJob[Rollout], tools: WorkerTools) -> RolloutResult:
        """Raises `NotFound` where the subject was deleted meanwhile."""
        context, latent = step_context(job.payload, tools.encoder, tools.map_cache)
        return roll_out(job.payload, context, latent, job.report)
