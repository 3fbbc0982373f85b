"""Announcements: the one module that notifies, listens and fans out.

`announce` runs inside the transaction that changed the row, so Postgres delivers it at commit and only then.
The payload is an id and a revision: whoever hears it reads the row again, so a lost or doubled notification is harmless.
"""

import json
from uuid import UUID

from django.db import connection
from django.db.models import F

from jobs.models import Job

CHANNEL = "job"  # every open page
WAKE_CHANNEL = "wake"  # the scheduler


def announce(job_id: UUID, *, wake: bool = False) -> None:
    """Tell open pages, after commit, that this job changed; `wake` tells the scheduler that there is work too."""
    changed = Job.objects.filter(pk=job_id)
    changed.update(revision=F("revision") + 1)
    found = changed.values_list("owner_id", "revision").first()
    if found is None:
        return
    payload = json.dumps({"id": str(job_id), "owner": found[0], "revision": found[1]})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
        if wake:
            cursor.execute("SELECT pg_notify(%s, '')", [WAKE_CHANNEL])
