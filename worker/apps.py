from django.apps import AppConfig


class WorkerConfig(AppConfig):
    """No models: the app exists so that `manage.py worker` is found."""

    name = "worker"
