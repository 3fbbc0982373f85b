from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from accounts import audit
        from accounts.checks import sign_in_settings
        from accounts.sessions import note_sign_in

        user_logged_in.connect(note_sign_in)
        user_logged_in.connect(audit.note_sign_in)
        user_login_failed.connect(audit.note_failed_sign_in)
        user_logged_out.connect(audit.note_sign_out)
        register(sign_in_settings)
