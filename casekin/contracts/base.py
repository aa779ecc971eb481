"""What all contracts share: strict, immutable, each with an example."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class Contract(BaseModel):
    """A message between processes: unknown fields are refused and instances do not change.

    Each concrete contract carries an example in its JSON schema; one test validates all of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


CaseId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""Id of a case: it becomes part of file names and URLs, so letters, digits, dot, dash, underscore."""

Code = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
"""One value of a vocabulary, e.g. a diagnosis code or a site."""

Latent = Annotated[list[float], Field(min_length=1, max_length=4096)]
"""D standardised coordinates."""

Preset = Literal["visual", "clinical"]
"""A stored choice of weights: all 1, or those the bundle learned."""
