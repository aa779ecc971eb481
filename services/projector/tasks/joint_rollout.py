"""``rollout.joint``: two dimensions varied together."""

from casekin.contracts.rollouts import JointResult, JointRollout
from services.projector.rollouts.rollouts import check_joint, roll_out_jointly
from services.projector.rollouts.steps import step_context
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools
from services.projector.tasks.rollout_subject import manifest_of_steps, prepare_subject


class JointRolloutHandler(JobHandler[JointRollout, JointResult]):
    """A click: some hundred milliseconds."""

    payload, result, queue = JointRollout, JointResult, "interactive"

    def limit_s(self, settings: ProjectorSettings) -> int:
        """That of a click."""
        return settings.click_limit_s

    def prepare(self, payload: JointRollout, tools: SubmissionTools) -> tuple[JointRollout, list[str]]:
        """Raises `WrongLatent`, `WrongWeights`, `NotFound`, `Conflict`; `BadInput` unless two dimensions are named."""
        check_joint(payload, manifest_of_steps(payload, tools))
        return prepare_subject(payload, tools)

    def run(self, job: RunningJob[JointRollout], tools: WorkerTools) -> JointResult:
        """Raises `NotFound` where the subject was deleted meanwhile."""
        context, latent = step_context(job.payload, tools.encoder, tools.map_cache)
        return roll_out_jointly(job.payload, context, latent, job.report)
