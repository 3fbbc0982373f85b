from django.apps import AppConfig
from django.db.models.signals import post_delete
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = _("Recordings")

    def ready(self) -> None:
        from jobs.live import announce_end

        post_delete.connect(announce_end, sender="accounts.Session")
