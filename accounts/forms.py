"""The local sign-in form: Django's, with a throttle in front of the password check."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import throttle


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
            raise ValidationError(self.error_messages["throttled"], code="throttled")
        try:
            cleaned = super().clean()
        except ValidationError:
            throttle.failed(self.request, name)
            raise
        throttle.succeeded(self.request, name)
        return cleaned
