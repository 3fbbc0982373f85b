"""For tests: a small world that is sound, and what the oracle finds in it."""

from dataclasses import dataclass

from accounts.models import User
from jobs.hearing import hear
from jobs.integrity.checks import look
from jobs.integrity.stored import rooms
from jobs.models import Job, Run, Upload, Window
from jobs.services.begin import begin
from jobs.services.options import Options
from jobs.uploads import resume, store


@dataclass
class World:
    """A recording with its transcript, one under way, and an upload that waits for its rest."""

    done: Job
    going: Job
    half: Upload

    @property
    def run(self) -> Run:
        return Run.objects.get(job=self.done, number=1)

    @property
    def windows(self) -> list[Window]:
        return list(self.run.windows.order_by("index"))


def world_of(owner: User) -> World:
    done, going = recording(owner), recording(owner)
    hear(begun(done))
    begun(going)
    writer = store.begin(owner, "half.mp3", length=10)
    writer.append(b"half")
    resume.settle(writer)
    writer.close()
    return World(done, going, writer.upload)


def recording(owner: User) -> Job:
    writer = store.begin(owner, "talk.mp3")
    writer.append(b"sound")
    job = store.complete(writer, Options())
    writer.close()
    return job


def begun(job: Job) -> Run:
    run = Run.objects.get(job=job, state="queued")
    assert begin(run.pk, attempt=1, worker="test")
    return run


def found(*, deep: bool = True, grace: float = 0) -> dict[str, list[object]]:
    return {fault.check.code: list(fault.ids) for fault in look(rooms(deep=deep, grace=grace), 0).faults}
