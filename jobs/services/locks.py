"""The one order of locks: runs before their recording."""

from uuid import UUID

from jobs.models import Run


def lock_runs(job_id: UUID) -> None:
    """For whoever then writes the recording's row, until the transaction ends.

    Who commits windows or deletes has the runs first. And Postgres asks for the current run again at the commit of a
    transaction that wrote the recording's row twice (its foreign key is checked then), so whoever only has that row
    would wait for somebody who waits for it.
    """
    list(Run.objects.select_for_update().filter(job=job_id).order_by("pk").values_list("pk"))
