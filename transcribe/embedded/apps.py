from django.apps import AppConfig
from django.core import checks


class EmbeddedConfig(AppConfig):
    """No models: `manage.py up` and `manage.py transcribe` are found by it, and what production must not start with."""

    name = "transcribe.embedded"
    label = "embedded"

    def ready(self) -> None:
        from transcribe.checks import check_production

        checks.register(check_production)
