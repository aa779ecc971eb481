"""Settings that every service has, read from ``CASEKIN_*`` in the environment."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ServiceSettings(BaseSettings):
    """Where a service listens, who may call it, and where it logs."""

    model_config = SettingsConfigDict(env_prefix="CASEKIN_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    """Address to bind; anything but loopback needs `api_key`."""
    port: int = Field(default=0, ge=0, le=65_535)
    """TCP port; 0 takes a free one."""
    api_key: SecretStr | None = None
    """Shared secret between services, sent as ``Authorization: Bearer``."""
    log_level: Annotated[LogLevel, BeforeValidator(str.upper)] = "INFO"
    audit_file: Path | None = None
    """JSON lines, one a view of an image; none writes them to the log."""

    @model_validator(mode="after")
    def _closed_by_default(self) -> Self:
        if not is_loopback(self.host) and not self.authenticated:
            raise ValueError(f"bound to {self.host}, which others can reach: {self.authentication_hint}")
        return self

    @property
    def authenticated(self) -> bool:
        """Whether callers must prove who they are."""
        return self.api_key is not None and len(self.api_key.get_secret_value()) >= 16

    @property
    def authentication_hint(self) -> str:
        """What to set so that the service may be reached by others."""
        return "set CASEKIN_API_KEY to a secret of at least 16 characters, or bind to 127.0.0.1"
