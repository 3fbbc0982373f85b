"""Uploads under way: how far, how old, whose, until when. One that nobody will finish can be discarded."""

import time

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy

from jobs import words
from jobs.admin.base import OptionedAdmin, TitledAdmin, carry_out
from jobs.admin.filters import DateFilter, OwnerFilter
from jobs.errors import Conflict
from jobs.models import Upload
from jobs.uploads import locks, store
from jobs.uploads.refusals import Locked

LOOK_SECONDS = 0.1


@admin.register(Upload)
class UploadAdmin(TitledAdmin, OptionedAdmin):
    """Those that became a recording are not listed: their recording is."""

    list_display = ("id", "owner", "size", "received", "age", "expires_at", "resumable")
    list_filter = (OwnerFilter, ("created_at", DateFilter))
    list_select_related = ("owner",)
    ordering = ("-created_at",)
    search_fields = ("id__startswith", "owner__username")
    fields = ("id", "owner", "size", "received", "created_at", "expires_at", "resumable", "options")
    readonly_fields = (*fields, "chosen")
    actions = ("discard",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Upload]:
        return super().get_queryset(request).filter(job=None)

    def has_discard_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.delete_upload")

    @admin.display(description=gettext_lazy("size"), ordering="length")
    def size(self, upload: Upload) -> str:
        return "" if upload.length is None else words.size(upload.length)

    @admin.display(description=gettext_lazy("received"), ordering="offset")
    def received(self, upload: Upload) -> str:
        """Of the file, which is ahead of the row while bytes arrive."""
        return words.size(store.size_of(upload) or 0)

    @admin.display(description=gettext_lazy("age"), ordering="created_at")
    def age(self, upload: Upload) -> str:
        return timesince(upload.created_at, timezone.now(), depth=1)

    @admin.action(permissions=["discard"], description=gettext_lazy("Discard, with the bytes that came"))
    def discard(self, request: HttpRequest, uploads: QuerySet[Upload]) -> None:
        carry_out(self, request, uploads, discard)


def discard(upload: Upload) -> None:
    """Row and bytes are gone; a connection that writes to it is asked to give way. Raises Locked when it does not, and
    Conflict for one that has become a recording."""
    writer = _take_over(upload)
    try:
        if not Upload.objects.filter(pk=upload.pk, job=None).exists():
            raise Conflict("This upload is complete. Delete the recording on its page.")
        store.discard(upload)
    finally:
        if writer is not None:
            writer.close()


def _take_over(upload: Upload) -> store.Writer | None:
    """Its one writer; None when its file is lost or became a recording's."""
    end = time.monotonic() + settings.UPLOAD_LOCK_WAIT_SECONDS
    with locks.asking(upload.path):
        while True:
            try:
                return store.Writer(upload)
            except FileNotFoundError:
                return None
            except Locked:
                if time.monotonic() >= end:
                    raise
            time.sleep(LOOK_SECONDS)
