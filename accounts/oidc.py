"""Browser sign-in at an OpenID Connect provider: mozilla-django-oidc with its gaps closed.

As shipped it checks neither issuer nor audience, knows people by e-mail, lets disabled ones stay signed in, waits
without end, and answers 500 to an expired token. Every call goes through `provider`, every token through
`provider_tokens`, every person through `people`.
"""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from accounts import provider
from accounts.models import User
from accounts.people import person_of
from accounts.provider_tokens import ProviderTokenError, id_token_claims, session_id, subject

if TYPE_CHECKING:
    Base = ModelBackend
else:
    Base = OIDCAuthenticationBackend  # which has no types, and is one

BACKEND = "accounts.oidc.ProviderBackend"
HINT_LENGTH = 6000  # characters; a longer ID token does not fit into the address of the sign-out


class ProviderBackend(Base):
    """One sign-in. Afterwards `id_token` and `sid` say what the session needs to know for its end."""

    id_token = sid = _access_token = ""

    def __init__(self) -> None:
        """Django makes one for every request of a signed-in person: nothing is fetched here."""
        self.UserModel = User
        self.OIDC_RP_CLIENT_ID, self.OIDC_RP_CLIENT_SECRET = settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET
        self.until = provider.deadline()

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """None unless it is given `nonce` and `code_verifier`: the password form asks every backend.

        Raises ProviderError and Refused.
        """
        if not (settings.OIDC_ISSUER and request and kwargs.get("nonce") and kwargs.get("code_verifier")):
            return None
        self.until = provider.deadline()
        user = super().authenticate(request, **kwargs)
        return user if isinstance(user, User) else None

    def get_user(self, user_id: int) -> User | None:
        """Django's own, which forgets disabled people at once."""
        found = ModelBackend.get_user(self, user_id)
        return found if isinstance(found, User) else None

    def get_token(self, payload: dict[str, str]) -> dict[str, Any]:
        answer = provider.fetch(provider.discovery(self.until).token, self.until, form=payload)
        if not isinstance(answer.get("access_token"), str):
            raise ProviderTokenError("no access token")
        self._access_token = answer["access_token"]
        return answer

    def verify_token(self, token: object, **kwargs: Any) -> dict[str, Any]:
        return id_token_claims(token, kwargs["nonce"], self._access_token, self.until)

    def store_tokens(self, access_token: str, id_token: object) -> None:
        """The access token is used once and forgotten; the ID token is kept when the sign-in has succeeded."""

    def get_or_create_user(self, access_token: str, id_token: object, payload: dict[str, Any]) -> User:
        self.sid = session_id(payload)
        self.id_token = str(id_token) if len(str(id_token)) <= HINT_LENGTH else ""
        told = self._userinfo(access_token, payload)
        return person_of(settings.OIDC_ISSUER, subject(payload), {**payload, **told})

    def _userinfo(self, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
        """What it says now, of the same person; nothing where there is no such endpoint."""
        if not access_token.isascii() or not access_token.isprintable():
            raise ProviderTokenError("no access token")
        url = provider.discovery(self.until).userinfo
        if not url:
            return {}
        told = provider.fetch(url, self.until, bearer=access_token)
        if told.get("sub") != claims["sub"]:
            raise ProviderTokenError("userinfo of another person")
        return told
