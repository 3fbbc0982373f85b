from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    """No models: the app exists so that `manage.py up` and `manage.py transcribe` are found."""

    name = "transcribe.embedded"
    label = "embedded"
