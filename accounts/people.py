"""From what an identity provider says about somebody to a User: found by (issuer, subject), never by e-mail or name."""

import re
from typing import Any

from django.conf import settings
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import personal
from accounts.models import PersonalToken, Session, User

NAME_LENGTH = 150
FOLLOWED = ("first_name", "last_name", "email", "is_superuser", "is_staff")
_UNFIT = re.compile(r"[^\w.@+-]")


class Refused(Exception):
    """A sign-in that ends without one: `code` and `status` for machines, `detail` says why and what to do."""

    def __init__(self, code: str, detail: str, status: int = 403) -> None:
        super().__init__(code)
        self.code, self.detail, self.status = code, detail, status


def person_of(issuer: str, subject: str, claims: dict[str, Any]) -> User:
    """The account of this subject, made at the first sign-in, with the name, address and rights of today.

    Raises Refused for people whose groups do not let them in, whom this signs out everywhere, and for disabled ones.
    """
    known = User.objects.filter(issuer=issuer, subject=subject).first()
    try:
        check_groups(claims)
    except Refused:
        if known is not None:
            _shut_out(known)
        raise
    user = known or _made(issuer, subject, claims)
    if not user.is_active:
        raise Refused("disabled", _("Your account here is switched off. Ask the operator of this site to enable it."))
    _follow(user, claims, _groups(claims))
    return user


def check_groups(claims: dict[str, Any]) -> None:
    """Raises Refused for people whose groups do not let them in."""
    if settings.OIDC_ALLOWED_GROUPS and not _groups(claims) & set(settings.OIDC_ALLOWED_GROUPS):
        raise Refused("not_allowed", _not_allowed())


def _follow(user: User, claims: dict[str, Any], groups: frozenset[str]) -> None:
    """A right whose group is gone goes too. Rights for which no group is named stay the administration's business."""
    before = [getattr(user, name) for name in FOLLOWED]
    user.first_name, user.last_name = _text(claims.get("given_name")), _text(claims.get("family_name"))
    if not user.last_name:
        user.first_name = _text(claims.get("name")) or user.first_name
    user.email = _email(claims.get("email"))
    superusers, staff = set(settings.OIDC_SUPERUSER_GROUPS), set(settings.OIDC_STAFF_GROUPS)
    if superusers:
        user.is_superuser = bool(groups & superusers)
    if staff or superusers:
        user.is_staff = bool(groups & (staff | superusers))
    if [getattr(user, name) for name in FOLLOWED] != before:
        user.save(update_fields=FOLLOWED)


@transaction.atomic
def _shut_out(user: User) -> None:
    """What they could still use ends now: sessions, personal tokens, rights."""
    User.objects.filter(pk=user.pk).update(is_staff=False, is_superuser=False)
    Session.objects.filter(user=user).delete()
    for token in PersonalToken.objects.filter(owner=user, revoked_at=None):
        personal.revoke(token)


def _made(issuer: str, subject: str, claims: dict[str, Any]) -> User:
    """Two first sign-ins at once make one account: the constraint decides, the loser takes the winner's."""
    base = _username(claims.get("preferred_username")) or _username(subject)
    for number in range(1, 1000):
        name = base if number == 1 else f"{base[: NAME_LENGTH - 5]}-{number}"
        if User.objects.filter(username__iexact=name).exists():
            continue  # taken by another person, or by a local account, who stays who they are
        try:
            with transaction.atomic():
                return User.objects.create_user(name, issuer=issuer, subject=subject)
        except IntegrityError:
            if (found := User.objects.filter(issuer=issuer, subject=subject).first()) is not None:
                return found
    raise Refused("no_name", _("There is no free user name for you here. Ask the operator of this site."))


def _groups(claims: dict[str, Any]) -> frozenset[str]:
    found = claims.get("groups")
    return frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list) else frozenset()


def _username(value: object) -> str:
    name = _UNFIT.sub("-", _text(value)).strip("-")
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError:
        return ""
    return name


def _email(value: object) -> str:
    """For people to read; nobody is known by it."""
    address = _text(value)
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address


def _text(value: object) -> str:
    """Text the database takes: without control characters and broken Unicode."""
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value[:1000] if char.isprintable()).strip()[:NAME_LENGTH]


def _not_allowed() -> str:
    names = ", ".join(settings.OIDC_ALLOWED_GROUPS)
    return _("Your account may not use this site. Ask for membership in one of these groups: %(names)s.") % {
        "names": names
    }
