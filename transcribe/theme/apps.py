from django.apps import AppConfig


class ThemeConfig(AppConfig):
    """The django-tailwind app: its `static_src` is built into `static/css/dist`."""

    name = "transcribe.theme"
    label = "theme"
