"""Who: people and service accounts. An identity provider knows them by (issuer, subject), never by e-mail."""

from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    issuer = models.CharField(max_length=255, blank=True)  # empty: a local account with a password
    subject = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], condition=~models.Q(subject=""), name="one_user_for_each_subject"
            )
        ]


class Session(AbstractBaseSession):
    """Django's session row, with what its data say about the sign-in in columns: they can be listed and looked up.

    `digest` names the session in tokens that browsers keep, where its key has no business.
    """

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")
    signed_in_at = models.DateTimeField(null=True)
    agent = models.CharField(max_length=300, blank=True)  # the browser, in its own words
    provider_session = models.CharField(max_length=255, blank=True, db_index=True)  # the `sid` of an identity provider

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        from accounts.sessions import SessionStore

        return SessionStore


class PersonalToken(models.Model):
    """A token somebody made for a script. The token itself is shown once; here is a hash of its `jti` alone."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=100)
    scope = models.CharField(_("scopes"), max_length=200)  # separated by spaces, as OAuth writes them
    jti_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)  # to the minute
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())


class WrongPasswords(models.Model):
    """Wrong passwords for one name from one address, see `accounts.throttle`. In Postgres, so that all web processes
    count together."""

    key = models.CharField(max_length=64, primary_key=True)  # a hash of both: people type passwords into the name
    count = models.PositiveIntegerField()
    ends_at = models.DateTimeField(db_index=True)  # forgotten from then on

    def __str__(self) -> str:
        return self.key[:12]


class AuditEvent(models.Model):
    """See `accounts.audit`, which alone writes these."""

    class Kind(models.TextChoices):
        SIGNED_IN = "signed_in"
        SIGN_IN_FAILED = "sign_in_failed"
        SIGNED_OUT = "signed_out"
        TOKEN_MADE = "token_made"  # noqa: S105 - the name of a kind
        TOKEN_REVOKED = "token_revoked"  # noqa: S105
        TOKEN_USED = "token_used"  # noqa: S105
        UPLOADED = "uploaded"
        DOWNLOADED = "downloaded"
        PLAYED = "played"
        DELETED = "deleted"
        ADMINISTERED = "administered"

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    kind = models.CharField(max_length=20, choices=Kind)
    person = models.BigIntegerField(null=True, db_index=True)  # the id of a user, who may be gone by now
    name = models.CharField(max_length=150, blank=True)  # theirs, at that time
    about = models.CharField(max_length=64, blank=True, db_index=True)  # the id of a recording or token
    detail = models.CharField(max_length=64, blank=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    once = models.CharField(max_length=64, null=True, unique=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
