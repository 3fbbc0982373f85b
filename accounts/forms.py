"""The local sign-in form: Django's, with a throttle in front of the password check; and the form of a new token."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import audit, throttle
from accounts.grants import Grant


class SignInForm(AuthenticationForm):
    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _("The user name and password do not match. Check both; capital letters matter."),
        "throttled": _("Too many wrong passwords. Wait 15 minutes, then try again."),
    }

    def clean(self) -> dict[str, Any]:
        """Wrong passwords are counted; beyond the limit not even a right one is looked at."""
        name = str(self.cleaned_data.get("username") or "")
        if self.request is None or not name:
            return super().clean()
        if throttle.throttled(self.request, name):
            audit.sign_in_failed(name, "throttled")
            raise ValidationError(self.error_messages["throttled"], code="throttled")
        try:
            cleaned = super().clean()
        except ValidationError:
            throttle.failed(self.request, name)
            raise
        throttle.succeeded(self.request, name)
        return cleaned


class TokenForm(forms.Form):
    """What a new personal token is for, what it may do, and for how long."""

    name = forms.CharField(max_length=100)
    scopes = forms.MultipleChoiceField(
        choices=[
            (str(Grant.UPLOADS_WRITE), _("Upload recordings")),
            (str(Grant.JOBS_READ), _("Read recordings and transcripts")),
            (str(Grant.JOBS_WRITE), _("Cancel, run again and delete recordings")),
        ],
        error_messages={"required": _("Choose at least one thing that it may do.")},
    )
    days = forms.TypedChoiceField(
        choices=[("7", _("7 days")), ("30", _("30 days")), ("90", _("90 days")), ("365", _("A year"))],
        coerce=int,
        initial="90",
    )

    def values(self) -> tuple[str, frozenset[str], int]:
        """(name, scopes, days) of a valid form."""
        found = self.cleaned_data
        return found["name"], frozenset(found["scopes"]), found["days"]
