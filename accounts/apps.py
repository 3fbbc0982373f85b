from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.core.checks import register


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts.checks import sign_in_settings
        from accounts.sessions import note_sign_in

        user_logged_in.connect(note_sign_in)
        register(sign_in_settings)
