"""Keep: no retention deletes this recording. Its owner may say so, and take it back; both may be said twice."""

from django.db import transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from accounts import audit
from accounts.models import User
from jobs.live import announce
from jobs.models import Job
from jobs.services.locks import lock_runs


def keep(job: Job, by: User | None) -> None:
    """Until it is given free."""
    _set(job, by, kept=True)


def give_free(job: Job, by: User | None) -> None:
    """Its days begin anew: a click must not delete at once what was kept for years."""
    _set(job, by, kept=False)


def _set(job: Job, by: User | None, *, kept: bool) -> None:
    anew = Case(When(idle_since=None, then=None), default=Value(timezone.now()))
    with transaction.atomic():
        lock_runs(job.pk)
        changed = Job.objects.filter(pk=job.pk, protected=not kept).update(
            protected=kept, idle_since=F("idle_since") if kept else anew
        )
        if not changed:
            return
        audit.note(audit.Kind.KEPT if kept else audit.Kind.GIVEN_FREE, by, job.pk)
        announce(job.pk)
