"""``rollout.animation``: one dimension as an animated WebP."""

from casekin.contracts.rollouts import Animation, AnimationResult
from services.projector.rollouts.animation import animate
from services.projector.rollouts.rollouts import check_dimensions
from services.projector.rollouts.steps import rollout_context
from services.projector.settings import ProjectorSettings
from services.projector.tasks.handler import JobHandler, RunningJob, SubmissionTools, WorkerTools
from services.projector.tasks.rollout_subject import manifest_of, prepare_subject


class AnimationHandler(JobHandler[Animation, AnimationResult]):
    """A click: about a second."""

    payload, result, queue = Animation, AnimationResult, "interactive"

    def limit_s(self, settings: ProjectorSettings) -> int:
        """That of a click."""
        return settings.click_limit_s

    def prepare(self, payload: Animation, tools: SubmissionTools) -> tuple[Animation, list[str]]:
        """Raises `WrongLatent`, `BadInput` for a dimension that the model lacks, `NotFound`, `Conflict`."""
        check_dimensions([payload.dimension], manifest_of(payload, tools))
        return prepare_subject(payload, tools)

    def run(self, job: RunningJob[Animation], tools: WorkerTools) -> AnimationResult:
        """Raises `NotFound` where the subject was deleted meanwhile."""
        payload = job.payload
        context = rollout_context(payload, tools.encoder, tools.map_cache)
        webp, frames, width, height = animate(payload, context, context.subject(payload), job.report)
        _, size = job.attach(".webp", lambda stream: stream.write(webp))
        return AnimationResult(
            bundle_version=payload.bundle_version,
            dimension=payload.dimension,
            frames=frames,
            width=width,
            height=height,
            media_type="image/webp",
            size=size,
            link=job.file_link,
        )
