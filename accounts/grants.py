"""What a bearer token grants, and how it is refused."""

from enum import StrEnum
from typing import NamedTuple

from django.utils.translation import gettext, gettext_noop

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
    """A token that does not open this door: `status` for HTTP, `code` for machines, `detail` for people.

    As `jobs.errors.JobError`: the sentence is kept in English, its `%(name)s` are filled from `values`, and whoever
    answers says it in the reader's language. Tokens are verified in threads that know no reader.
    """

    code, status = "bad_token", 401

    def __init__(self, sentence: str, **values: str) -> None:
        super().__init__(sentence % values if values else sentence)
        self.sentence, self.values = sentence, values

    @property
    def detail(self) -> str:
        """The sentence in the active language."""
        said = gettext(self.sentence)
        return said % self.values if self.values else said


class BadToken(TokenError):
    """Forged, expired, revoked, of an ended session or a disabled person: which one is not said."""

    def __init__(self) -> None:
        super().__init__(
            gettext_noop("This access token is not valid. Sign in again, or make a new token on your account page.")
        )


class Unwelcome(TokenError):
    """A good token of the identity provider, of somebody who may not use this site."""

    code, status = "not_allowed", 403

    def __init__(self, groups: str) -> None:
        said = gettext_noop("Your account may not use this site. Ask for membership in one of these groups: %(names)s.")
        super().__init__(said, names=groups)


class ProviderSilent(TokenError):
    """Nobody can tell right now whether the provider signed it: the token may be good, so it is not called bad."""

    code, status = "provider_failed", 503

    def __init__(self) -> None:
        super().__init__(
            gettext_noop("The identity provider does not answer, so this access token cannot be checked. Try again.")
        )


class ScopeMissing(TokenError):
    """A good token, made for something else."""

    code, status = "scope_missing", 403

    def __init__(self, scope: str) -> None:
        said = gettext_noop(
            "This access token does not have the scope %(scope)s. Make one that has it on your account page."
        )
        super().__init__(said, scope=scope)
