"""Creation that may be repeated: under one `Idempotency-Key` a person makes one recording, or one run of it.

The key decides the id of what is made, so the database itself refuses a second one, and nothing has to be remembered.
The header is that of draft-ietf-httpapi-idempotency-key-header. A key is good as long as what it made exists.
"""

from uuid import UUID

from django.utils.crypto import salted_hmac

from jobs.errors import JobError
from jobs.models import Job

LONGEST = 255


def id_for(key: str, *, among: object) -> UUID:
    """The id of what `key` makes `among` (a person's recordings, a recording's runs); others cannot guess it.

    Raises JobError `bad_key`.
    """
    if not 1 <= len(key) <= LONGEST or not key.isprintable():
        raise JobError("An Idempotency-Key is 1 to 255 characters of one line.", code="bad_key")
    digest = salted_hmac("jobs.services.repeats", f"{among} {key}", algorithm="sha256").digest()
    return UUID(bytes=digest[:16], version=4)


def made_before(owner_id: int, job_id: UUID) -> Job | None:
    """The recording that the first of the repeated requests made."""
    return Job.objects.filter(pk=job_id, owner=owner_id).first()
