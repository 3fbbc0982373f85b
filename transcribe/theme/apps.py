from django.apps import AppConfig
from django.core import checks


class ThemeConfig(AppConfig):
    """The django-tailwind app: its `static_src` is built into `static/css/dist`. And how the pages look: the brand."""

    name = "transcribe.theme"
    label = "theme"

    def ready(self) -> None:
        from transcribe.theme.checks import check_brand

        checks.register(check_brand)
