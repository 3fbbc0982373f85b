"""Who: people and service accounts. An identity provider knows them by (issuer, subject), never by e-mail."""

from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    issuer = models.CharField(_("provider"), max_length=255, blank=True)  # empty: a local account with a password
    subject = models.CharField(_("id at the provider"), max_length=255, blank=True)

    class Meta(AbstractUser.Meta):
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

    owner = models.ForeignKey(User, models.CASCADE, related_name="tokens", verbose_name=_("owner"))
    name = models.CharField(_("name"), max_length=100)
    scope = models.CharField(_("scopes"), max_length=200)  # separated by spaces, as OAuth writes them
    jti_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"))
    last_used_at = models.DateTimeField(_("last used"), null=True)  # to the minute
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("personal token"), _("personal tokens")

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
        SIGNED_IN = "signed_in", _("signed in")
        SIGN_IN_FAILED = "sign_in_failed", _("sign-in failed")
        SIGNED_OUT = "signed_out", _("signed out")
        TOKEN_MADE = "token_made", _("token made")
        TOKEN_REVOKED = "token_revoked", _("token revoked")
        TOKEN_USED = "token_used", _("token used")
        UPLOADED = "uploaded", _("uploaded")
        DOWNLOADED = "downloaded", _("downloaded")
        PLAYED = "played", _("listened")
        DELETED = "deleted", _("deleted")
        INFECTED = "infected", _("virus found")
        KEPT = "kept", _("kept")
        GIVEN_FREE = "given_free", _("not kept any more")
        RETENTION = "retention", _("deletion after RETENTION_DAYS")
        ADMINISTERED = "administered", _("changed by an operator")

    at = models.DateTimeField(_("when"), auto_now_add=True, db_index=True)
    kind = models.CharField(_("what"), max_length=20, choices=Kind)
    # the id of a user, who may be gone by now
    person = models.BigIntegerField(_("number of the person"), null=True, db_index=True)
    name = models.CharField(_("who"), max_length=150, blank=True)  # theirs, at that time
    about = models.CharField(_("about"), max_length=64, blank=True, db_index=True)  # the id of a recording or token
    detail = models.CharField(_("code"), max_length=64, blank=True)
    address = models.GenericIPAddressField(_("from where"), null=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    once = models.CharField(max_length=64, null=True, unique=True)

    class Meta:
        verbose_name, verbose_name_plural = _("entry of the audit log"), _("audit log")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
