"""Recordings: by state, with cause and history; run again, cancel, delete, by the verbs their pages use."""

from datetime import datetime
from functools import partial
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.options import ActionLocation
from django.contrib.admin.utils import flatten
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from jobs import words
from jobs.admin.base import TitledAdmin, carry_out, too_many
from jobs.admin.filters import DateFilter, LanguageFilter, ModelFilter, OwnerFilter, StateFilter
from jobs.models import Job, Run, RunEvent, Segment
from jobs.services.cancel import cancel
from jobs.services.delete import delete
from jobs.services.keep import give_free as give_job_free
from jobs.services.keep import keep as keep_job
from jobs.services.retention import deleted_at
from jobs.services.retry import retry
from jobs.states import FINAL

EVENTS_SHOWN = 200
BOTH = [ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM]


def history(events: QuerySet[RunEvent]) -> str:
    """The newest moves as a table, the newest first."""
    rows = events.select_related("run").order_by("-pk")[:EVENTS_SHOWN]
    return render_to_string("admin/jobs/history.html", {"events": rows})


def cause_of(run: Run | None) -> str:
    """Why it ended, as a sentence; only ends have one."""
    return words.why(run) if run is not None and run.state in FINAL else ""


@admin.register(Job)
class JobAdmin(TitledAdmin):
    list_display = (
        "short_id", "owner_link", "state", "created_at", "length", "bytes", "model_name", "language", "cause",
    )  # fmt: skip
    list_filter = (StateFilter, ModelFilter, LanguageFilter, OwnerFilter, "protected", ("created_at", DateFilter))
    list_select_related = ("owner", "current_run")
    ordering = ("-created_at",)
    search_fields = ("id__startswith", "owner__username", "=sha256")
    search_help_text = gettext_lazy("Number of the recording or its beginning, owner, SHA-256; title where you may.")
    actions = ("run_again", "stop", "keep", "give_free", "delete_selected")
    fields = (
        "id", ("owner", "state"), "cause", ("current_run", "model_name", "language"), ("length", "bytes", "sha256"),
        ("container", "codec", "picture", "rendition"), ("created_at", "revision"), ("protected", "deleted_at"),
        "runs_list", "history",
    )  # fmt: skip
    readonly_fields = flatten(fields)
    delete_confirmation_max_display = None

    @admin.display(description=gettext_lazy("number"), ordering="pk")
    def short_id(self, job: Job) -> str:
        """Its beginning, which the search finds too; the whole one takes half of the list's width."""
        return str(job.pk)[:8]

    @admin.display(description=gettext_lazy("owner"), ordering="owner__username")
    def owner_link(self, job: Job) -> str:
        """To the recordings of this person."""
        query = urlencode({"owner": job.owner.username})
        return format_html('<a href="?{}">{}</a>', query, job.owner.username)

    @admin.display(description=gettext_lazy("state"), ordering="current_run__state")
    def state(self, job: Job) -> str:
        return words.state(job.current_run) if job.current_run else ""

    @admin.display(description=gettext_lazy("cause"))
    def cause(self, job: Job) -> str:
        return cause_of(job.current_run)

    @admin.display(description=gettext_lazy("model"), ordering="current_run__model")
    def model_name(self, job: Job) -> str:
        return job.current_run.model if job.current_run else ""

    @admin.display(description=gettext_lazy("language"), ordering="current_run__language")
    def language(self, job: Job) -> str:
        return words.language(job.current_run.language) if job.current_run else ""

    @admin.display(description=gettext_lazy("length"), ordering="duration")
    def length(self, job: Job) -> str:
        return words.length(job.duration)

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def bytes(self, job: Job) -> str:
        return words.size(job.size)

    @admin.display(description=gettext_lazy("deleted by itself"))
    def deleted_at(self, job: Job) -> datetime | None:
        return deleted_at(job)

    @admin.display(description=gettext_lazy("transcriptions"))
    def runs_list(self, job: Job) -> str:
        return render_to_string("admin/jobs/runs.html", {"runs": job.runs.order_by("-number")})

    @admin.display(description=gettext_lazy("history"))
    def history(self, job: Job) -> str:
        return history(RunEvent.objects.filter(run__job=job))

    @admin.action(permissions=["act"], description=gettext_lazy("Run again"), location=BOTH)
    def run_again(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        carry_out(self, request, jobs, retry)

    @admin.action(permissions=["act"], description=gettext_lazy("Cancel"), location=BOTH)
    def stop(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        carry_out(self, request, jobs.select_related("current_run"), cancel)

    @admin.action(permissions=["act"], description=gettext_lazy("Keep"), location=BOTH)
    def keep(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        def keep(job: Job) -> None:
            keep_job(job, cast(User, request.user))

        carry_out(self, request, jobs, keep)

    @admin.action(permissions=["act"], description=gettext_lazy("Keep no longer"), location=BOTH)
    def give_free(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        def give_free(job: Job) -> None:
            give_job_free(job, cast(User, request.user))

        carry_out(self, request, jobs, give_free)

    @admin.action(permissions=["delete"], description=gettext_lazy("Delete with their files"))
    def delete_selected(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return None if too_many(self, request, jobs) else delete_selected(self, request, jobs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("jobs.delete_job")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes, in figures: Django's own way reads every single row, and a long recording has thousands."""
        ids = [job.pk for job in objs]
        jobs = Job.objects.filter(pk__in=ids)
        told = [
            _("Each recording's file, everything made from it, its transcripts and its history. There is no way back."),
            *(f"{job.pk}: {job.owner}, {words.size(job.size)}" for job in jobs.select_related("owner")),
        ]
        size = jobs.aggregate(all=Sum("size"))["all"] or 0
        counts = {
            Job._meta.verbose_name_plural: len(ids),
            Run._meta.verbose_name_plural: Run.objects.filter(job__in=ids).count(),
            _("pieces of text"): Segment.objects.filter(run__job__in=ids).count(),
            _("files"): words.size(size),
        }
        return told, counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        """Behind the commit: the verb removes files, and Django's page could still roll back."""
        transaction.on_commit(partial(delete, obj, cast(User, request.user)))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        for job in queryset.select_related("current_run"):
            self.delete_model(request, job)
