"""One-time sign-in links: how the embedded stack lets its first user in without typing the password it printed."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_str
from django.utils.http import base36_to_int, urlsafe_base64_decode, urlsafe_base64_encode

from accounts.models import User

LIFETIME = timedelta(hours=24)


class SignInTokens(PasswordResetTokenGenerator):
    """Django's signed tokens with a purpose of their own. The hash holds `last_login`, so one sign-in ends them all."""

    key_salt = "accounts.links.SignInTokens"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        # Django cuts last_login to seconds: a link made and used within one second would work twice.
        return f"{super()._make_hash_value(user, timestamp)}{user.last_login}"

    def check_token(self, user: User | None, token: str | None) -> bool:
        """Genuine, unused, and younger than LIFETIME (the setting for password resets is longer)."""
        return bool(super().check_token(user, token)) and self._age(str(token)) <= LIFETIME

    def _age(self, token: str) -> timedelta:
        made = base36_to_int(token.split("-")[0])
        return timedelta(seconds=self._num_seconds(self._now()) - made)


tokens = SignInTokens()


def sign_in_link(user: User) -> str:
    """The path that signs this user in once, within 24 hours, in embedded mode only."""
    uid = urlsafe_base64_encode(str(user.pk).encode())
    return reverse("sign-in-link", args=[uid, tokens.make_token(user)])


def holder(uid: str, token: str) -> User | None:
    """The user of a genuine, unused link, locked until the transaction ends, so that two clicks at once are one.

    Call inside a transaction that also signs the user in. None for anything else, always outside embedded mode.
    """
    if not settings.EMBEDDED or not transaction.get_connection().in_atomic_block:
        return None
    try:
        user = User.objects.select_for_update().get(pk=int(force_str(urlsafe_base64_decode(uid))), is_active=True)
    except (ValueError, OverflowError, User.DoesNotExist):
        return None
    return user if tokens.check_token(user, token) else None
