"""Uploads: what was acknowledged is on disk, what is complete is a recording, what expired is gone."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from jobs.integrity.checks import MOUNTED, Check, Keys, Room, keys_of
from jobs.integrity.disk import size_of
from jobs.models import Upload


def room(grace: float) -> Room:
    """`grace`: seconds that the hourly sweep may be late."""
    again = f"{MOUNTED} If so, its bytes are lost: let the person upload the file again, and look at the disk."
    return Room(
        "uploads",
        lambda: keys_of(Upload.objects.all()),
        [
            Check("upload_short", "Fewer bytes of an upload are stored than were acknowledged.", again, _short),
            Check("upload_long", "An upload holds more bytes than it promised.", "Discard it in the admin.", _long),
            Check(
                "upload_other",
                "An upload and the recording made of it do not agree.",
                "Compare the two rows; the file of the recording counts. Its upload's row may be deleted.",
                _other,
            ),
            Check(
                "upload_expired",
                "An upload that expired is still there.",
                "The hourly sweep of a running worker removes it: start one, and look at its log.",
                partial(_expired, grace),
            ),
        ],
    )


def _short(keys: Keys) -> Iterator[UUID]:
    """A row without a file has no bytes, which is right before the first ones came."""
    rows = Upload.objects.filter(pk__in=keys, job=None)
    yield from (row.pk for row in rows if (size_of(row.path) or 0) < row.offset)


def _long(keys: Keys) -> Iterator[UUID]:
    rows = Upload.objects.filter(pk__in=keys, job=None).exclude(length=None)
    yield from (row.pk for row in rows if max(size_of(row.path) or 0, row.offset) > (row.length or 0))


def _other(keys: Keys) -> Iterator[UUID]:
    done = Upload.objects.filter(pk__in=keys).exclude(job=None)
    agree = Q(job_id=F("pk"), offset=F("job__size"), owner=F("job__owner"))
    yield from done.exclude(agree).values_list("pk", flat=True)


def _expired(grace: float, keys: Keys) -> Iterator[UUID]:
    late = timezone.now() - timedelta(seconds=grace)
    yield from Upload.objects.filter(pk__in=keys, expires_at__lt=late).values_list("pk", flat=True)
