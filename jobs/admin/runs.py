"""Transcriptions, their windows and every move of theirs: read only. The text is its owner's, so it is not here."""

from django.contrib import admin
from django.contrib.admin.utils import flatten
from django.utils.translation import gettext_lazy

from accounts.noted import EvidenceAdmin
from jobs import words
from jobs.admin.base import OptionedAdmin
from jobs.admin.filters import DateFilter, LanguageOfRun, ModelOfRun, OwnerOfRun, StateOfRun
from jobs.admin.recordings import cause_of, history
from jobs.models import Run, RunEvent, Window


@admin.register(Run)
class RunAdmin(OptionedAdmin):
    list_display = (
        "short_id", "recording", "number", "heard_part", "state_word", "stage", "model", "language", "reason",
        "restarts", "created_at",
    )  # fmt: skip
    list_filter = (StateOfRun, ModelOfRun, LanguageOfRun, OwnerOfRun, ("created_at", DateFilter))
    ordering = ("-created_at",)
    search_fields = ("id__startswith", "job__id__startswith", "job__owner__username", "=reason")
    fields = (
        "id", "job", "number", ("parent", "heard_part"), "state_word", "stage", "cause", "reason", "model",
        "model_sha256", "mode", "options", "language", "language_probability", "warnings", "restarts", "created_at",
        "admitted_at", "started_at", "finished_at", "history",
    )  # fmt: skip
    readonly_fields = (*flatten(fields), "chosen")

    @admin.display(description=gettext_lazy("transcription"), ordering="pk")
    def short_id(self, run: Run) -> str:
        return str(run.pk)[:8]

    @admin.display(description=gettext_lazy("recording"))
    def recording(self, run: Run) -> str:
        return str(run.job_id)[:8]

    @admin.display(description=gettext_lazy("part heard again"), ordering="span_start")
    def heard_part(self, run: Run) -> str:
        """Empty for one that heard the whole."""
        return words.part(run)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_word(self, run: Run) -> str:
        return words.state(run)

    @admin.display(description=gettext_lazy("cause"))
    def cause(self, run: Run) -> str:
        return cause_of(run)

    @admin.display(description=gettext_lazy("history"))
    def history(self, run: Run) -> str:
        return history(run.events.all())


@admin.register(RunEvent)
class RunEventAdmin(EvidenceAdmin):
    list_display = ("id", "at", "run_id", "state", "stage", "attempt", "worker", "reason")
    list_filter = (("at", DateFilter),)
    ordering = ("-pk",)
    search_fields = ("run__id__startswith", "run__job__id__startswith", "worker", "=reason")


@admin.register(Window)
class WindowAdmin(EvidenceAdmin):
    list_display = ("id", "run_id", "index", "span", "batch", "start", "end", "attempts", "engine_deaths", "done_at")
    list_filter = ("engine_deaths", ("done_at", admin.EmptyFieldListFilter))
    ordering = ("-pk",)
    search_fields = ("=run__id", "=run__job__id")
