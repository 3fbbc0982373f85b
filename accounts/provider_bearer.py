"""Access tokens of the identity provider as bearer tokens: of people's programs, and of service accounts.

Nothing is asked of the provider but its keys, so a token that it revoked is good until it ends: keep them short there.
"""

import logging
from typing import Any

from django.conf import settings

from accounts import audit, provider
from accounts.grants import BadToken, Bearer, Grant, ProviderSilent, Unwelcome
from accounts.models import User
from accounts.people import Refused, check_groups, person_of
from accounts.provider import ProviderError, UnknownKey
from accounts.provider_tokens import ProviderTokenError, access_token_claims

SECONDS = 4.0  # for the provider's keys, where they are not kept
logger = logging.getLogger(__name__)


def claims(raw: str) -> dict[str, Any]:
    """The claims of an access token that is the provider's and made for us. Raises TokenError. Blocks."""
    try:
        return access_token_claims(raw, provider.deadline(SECONDS))
    except (ProviderTokenError, UnknownKey) as error:
        logger.info("An access token of the provider was refused: %s", error)
        raise BadToken from None
    except ProviderError as error:
        logger.warning("An access token of the provider could not be checked: %s", error)
        raise ProviderSilent from None


def holder(told: dict[str, Any]) -> Bearer:
    """Whose it is; made at first use. Raises TokenError.

    The scopes are those of ours that it names. One that names none has all: a provider that was told nothing of our
    scopes issues only such tokens, and whom it lets in at all is decided by groups.
    """
    user = _user(told)
    if not user.is_active:
        raise BadToken
    audit.note(audit.Kind.TOKEN_USED, user, detail="provider", hourly=True)
    named = frozenset(told["scope"].split()) & frozenset(Grant)
    return Bearer(user, named or frozenset(Grant))


def _user(told: dict[str, Any]) -> User:
    """Whoever signs in here is kept up to date by that, as a token may be older news than the last sign-in. Those who
    never did, service accounts, are known from their tokens alone."""
    user = User.objects.filter(issuer=settings.OIDC_ISSUER, subject=told["sub"]).first()
    try:
        if user is None or user.last_login is None:
            return person_of(settings.OIDC_ISSUER, told["sub"], told)
        check_groups(told)
    except Refused as refused:
        groups = ", ".join(settings.OIDC_ALLOWED_GROUPS)
        raise (Unwelcome(groups) if refused.code == "not_allowed" else BadToken()) from None
    return user
