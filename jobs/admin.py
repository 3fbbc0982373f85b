"""What happened, for operators: evidence is read, never edited. A recording is deleted by the verb its page uses."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from jobs.models import Checkpoint, Job, Run, RunEvent, Segment, Upload, Window, Worker
from jobs.services.delete import delete

admin.site.site_header = admin.site.site_title = "Transcribe"
admin.site.index_title = "Administration"


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # generic in its stubs only


class EvidenceAdmin(ModelAdmin):
    """Rows that say what happened: changing, adding or dropping single ones would make them lie."""

    show_full_result_count = False  # segments are many: counting all of them on every page is slow

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ModelAdmin):
    list_display = ("title", "owner", "state", "duration", "size", "created_at")
    list_filter = ("current_run__state", "created_at")
    list_select_related = ("owner", "current_run")
    search_fields = ("title", "=id", "owner__username", "=sha256")
    fields = ("title", "id", "owner", "state", "current_run", "size", "sha256", "duration", "created_at", "revision")
    readonly_fields = fields[1:]

    @admin.display(ordering="current_run__state")
    def state(self, job: Job) -> str:
        return job.current_run.state if job.current_run else ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a job without its file would fail: recordings come in by upload

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Runs and their evidence go with the recording: their own "no single deletion" does not stand in its way."""
        found, counts, _missing, protected = super().get_deleted_objects(objs, request)
        return found, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        for job in queryset.select_related("current_run"):
            delete(job)


@admin.register(Run)
class RunAdmin(EvidenceAdmin):
    list_display = ("recording", "number", "state", "stage", "model", "language", "reason", "restarts", "created_at")
    list_filter = ("state", "model", "reason", "created_at")
    list_select_related = ("job",)
    search_fields = ("=id", "=job__id", "job__title", "job__owner__username")

    @admin.display(ordering="job__title")
    def recording(self, run: Run) -> str:
        return run.job.title


@admin.register(RunEvent)
class RunEventAdmin(EvidenceAdmin):
    list_display = ("id", "at", "run", "state", "stage", "attempt", "worker", "reason")
    list_filter = ("state", "stage", "reason")
    list_select_related = ("run",)
    search_fields = ("=run__id", "=run__job__id", "worker")


@admin.register(Window)
class WindowAdmin(EvidenceAdmin):
    list_display = ("id", "run", "index", "span", "batch", "start", "end", "attempts", "engine_deaths", "done_at")
    list_filter = ("engine_deaths", ("done_at", admin.EmptyFieldListFilter))
    list_select_related = ("run",)
    search_fields = ("=run__id", "=run__job__id")


@admin.register(Segment)
class SegmentAdmin(EvidenceAdmin):
    list_display = ("id", "run", "start", "end", "text", "average_log_probability", "no_speech_probability")
    list_select_related = ("run",)
    search_fields = ("=run__id", "=run__job__id")


@admin.register(Worker)
class WorkerAdmin(EvidenceAdmin):
    list_display = ("host", "pid", "model", "device", "slots", "speed", "started_at", "seen_at")
    list_filter = ("model", "device")
    search_fields = ("host",)


@admin.register(Checkpoint)
class CheckpointAdmin(EvidenceAdmin):
    list_display = ("name", "sha256", "recorded_at", "confirmed_at")
    search_fields = ("name", "sha256")


@admin.register(Upload)
class UploadAdmin(EvidenceAdmin):
    """Unfinished ones are ended by their owner or by expiry, which also removes their bytes."""

    list_display = ("id", "owner", "title", "offset", "length", "created_at", "expires_at", "job")
    list_filter = (("job", admin.EmptyFieldListFilter), "expires_at")
    list_select_related = ("owner", "job")
    search_fields = ("=id", "title", "owner__username")
