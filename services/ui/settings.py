"""Settings of the page."""

from functools import cached_property

from pydantic import Field, SecretStr, field_validator

from casekin.contracts.base import ServiceUrl
from casekin.service.settings import ServiceSettings, is_loopback
from services.ui.security.passwords import PasswordHash, parse_users


class UiSettings(ServiceSettings):
    """Where the page listens, where the services are, and who may sign in.

    Bound to anything but loopback the page needs `users`: HTTP Basic, an interim before OpenID Connect.
    """

    port: int = Field(default=8100, ge=0, le=65_535)
    """TCP port; 0 takes a free one."""
    encoder_url: ServiceUrl = "http://127.0.0.1:8101"
    search_url: ServiceUrl = "http://127.0.0.1:8102"
    projector_url: ServiceUrl = "http://127.0.0.1:8103"
    users: SecretStr = SecretStr("")
    """``name:hash,name:hash``; a hash is what ``python -m services.ui hash-password`` prints."""

    @field_validator("users")
    @classmethod
    def _readable(cls, value: SecretStr) -> SecretStr:
        parse_users(value.get_secret_value())
        return value

    @cached_property
    def named_users(self) -> dict[str, PasswordHash]:
        """Password hashes by user; empty where nobody signs in."""
        return parse_users(self.users.get_secret_value())

    @property
    def loopback_only(self) -> bool:
        """Whether the page serves this machine only, without sign-in."""
        return is_loopback(self.host) and not self.named_users

    @property
    def authenticated(self) -> bool:
        """Whether users must sign in."""
        return bool(parse_users(self.users.get_secret_value()))

    @property
    def authentication_hint(self) -> str:
        """What to set where the page is reachable without sign-in."""
        return (
            "set CASEKIN_USERS to name:hash pairs (python -m services.ui hash-password makes a hash), "
            "or bind to 127.0.0.1"
        )
