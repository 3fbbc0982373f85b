"""Workers and the checkpoints they loaded: read only.

Confirming other weights stays with `manage.py confirm_model`: it reads the file, which this process does not have.
"""

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.noted import EvidenceAdmin
from jobs.models import Checkpoint, Worker
from jobs.services.offers import WORKER_LIVES


@admin.register(Worker)
class WorkerAdmin(EvidenceAdmin):
    list_display = (
        "host",
        "pid",
        "lives",
        "model",
        "mode",
        "device",
        "slots",
        "speed",
        "under_way",
        "started_at",
        "seen_at",
    )
    list_filter = ("model", "device")
    ordering = ("-seen_at",)
    search_fields = ("host",)

    @admin.display(description=gettext_lazy("alive"), boolean=True)
    def lives(self, worker: Worker) -> bool:
        return worker.ended_at is None and worker.seen_at > timezone.now() - WORKER_LIVES

    @admin.display(description=gettext_lazy("transcriptions under way"))
    def under_way(self, worker: Worker) -> int:
        return len(worker.runs)


@admin.register(Checkpoint)
class CheckpointAdmin(EvidenceAdmin):
    list_display = ("name", "sha256", "recorded_at", "confirmed_at")
    search_fields = ("name", "sha256")
