"""What a bearer token grants, and how it is refused. Sentences go to scripts as they are."""

from enum import StrEnum
from typing import NamedTuple

from accounts.models import User


class Grant(StrEnum):
    """The scopes there are."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    UPLOADS_WRITE = "uploads:write"


class Bearer(NamedTuple):
    """Who sent a request, and what their token lets it do."""

    user: User
    scopes: frozenset[str]


class TokenError(Exception):
    """A token that does not open this door: `status` for HTTP, `code` for machines, `detail` for people."""

    code, status = "bad_token", 401

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadToken(TokenError):
    """Forged, expired, revoked, of an ended session or a disabled person: which one is not said."""

    def __init__(self) -> None:
        super().__init__("This access token is not valid. Sign in again, or make a new token on your account page.")


class Unwelcome(TokenError):
    """A good token of the identity provider, of somebody who may not use this site."""

    code, status = "not_allowed", 403


class ProviderSilent(TokenError):
    """Nobody can tell right now whether the provider signed it: the token may be good, so it is not called bad."""

    code, status = "provider_failed", 503

    def __init__(self) -> None:
        super().__init__("The identity provider does not answer, so this access token cannot be checked. Try again.")


class ScopeMissing(TokenError):
    """A good token, made for something else."""

    code, status = "scope_missing", 403

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This access token does not have the scope {scope}. Make one that has it on your account page."
        )
