from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import checks  # noqa: F401  # importing it registers them
        from accounts.sessions import note_sign_in

        user_logged_in.connect(note_sign_in)
