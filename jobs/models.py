"""What: recordings, their transcriptions, and the history of every move. Rules live in `jobs.services`."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from jobs.states import Rendition, RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User


class OwnedQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: "User | AnonymousUser") -> "OwnedQuerySet":
        """The rows this person may see. Every door asks here: not yours and not there are the same."""
        return self.filter(owner=user.pk) if user.is_active and user.pk else self.none()


class Upload(models.Model):
    """Bytes on their way in. Complete, it becomes a Job in the same transaction."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    title = models.CharField(max_length=255)
    length = models.BigIntegerField(null=True)  # bytes promised; null: not told
    offset = models.BigIntegerField(default=0)  # bytes kept
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    job = models.OneToOneField("jobs.Job", on_delete=models.CASCADE, null=True, related_name="upload")
    resumable = models.BooleanField(default=False)  # its client can go on after a cut; that of the one-shot door cannot
    options = models.JSONField(default=dict)  # of the run to be, see `jobs.services.options`
    metadata = models.TextField(blank=True)  # Upload-Metadata as the client sent it, which tus wants to be told again

    @property
    def path(self) -> Path:
        return Path(settings.MEDIA_ROOT) / "uploads" / str(self.id)


class Job(models.Model):
    """A recording. What people call its state is its current run's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs")
    title = models.CharField(_("title"), max_length=255)  # the name the person gave the file; never a path
    size = models.BigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)
    duration = models.FloatField(null=True)  # seconds, as decoded, not as the header claims
    container = models.CharField(max_length=32, blank=True)  # FFmpeg's names of what was found; empty: not looked yet
    codec = models.CharField(max_length=32, blank=True)  # of the sound
    picture = models.CharField(max_length=32, blank=True)  # codec of the moving pictures; empty: none
    rendition = models.CharField(max_length=8, choices=[(s.value, s.value) for s in Rendition], blank=True)
    current_run = models.ForeignKey("jobs.Run", on_delete=models.SET_NULL, null=True, related_name="+")
    revision = models.BigIntegerField(default=0)  # grows with every announcement; stale fragments are dropped by it
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["owner", "-created_at"])]

    def __str__(self) -> str:
        return str(self.id)

    def may_be_seen_by(self, user: "User") -> bool:
        """`visible_to` for a row that was read already, for many people at once."""
        return user.is_active and self.owner_id == user.pk

    @property
    def folder(self) -> Path:
        """Ours alone: the stored name says nothing about the person's file."""
        return Path(settings.MEDIA_ROOT) / "jobs" / str(self.id)

    @property
    def path(self) -> Path:
        return self.folder / "source"

    @property
    def rendition_path(self) -> Path:
        """The sound once more, in a form that browsers play."""
        return self.folder / "rendition.mp3"


class Run(models.Model):
    """One transcription of a recording. Run again = a new Run; the machine text of a run never changes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=[(s.value, s.value) for s in RunState], default=RunState.QUEUED)
    stage = models.CharField(max_length=20, blank=True)  # what a running run is doing: see `jobs.services.stage`
    options = models.JSONField(default=dict)  # as submitted, see `jobs.services.options`; older rows lack keys
    model = models.CharField(max_length=100)
    model_sha256 = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=8, blank=True)  # decided for this run, by the person or by the vote
    language_probability = models.FloatField(null=True)  # of the vote, 0..1; null where the person chose
    reason = models.CharField(max_length=40, blank=True)  # code of the failure
    detail = models.TextField(blank=True)  # the same as a sentence
    warnings = models.JSONField(default=list)  # [{"code", "detail"}]
    restarts = models.PositiveIntegerField(default=0)  # workflows begun after the first, see `worker.scheduler`
    created_at = models.DateTimeField(auto_now_add=True)
    admitted_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_run_for_each_number")]
        indexes = [models.Index(fields=["state", "created_at"])]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def task(self) -> str:
        """Either "transcribe" or "translate" (into English)."""
        return str(self.options.get("task") or "transcribe")

    @property
    def text_language(self) -> str:
        """The code of the language its text is in; empty before the spoken one is known."""
        return "en" if self.task == "translate" else self.language

    @property
    def workflow_id(self) -> str:
        return f"run-{self.id}" + (f"-{self.restarts}" if self.restarts else "")

    @property
    def samples_path(self) -> Path:
        """16 kHz mono s16 samples: a cache, rebuilt when missing, deleted when the run ends."""
        return Path(settings.MEDIA_ROOT) / "jobs" / str(self.job_id) / f"{self.id}.s16"


class Window(models.Model):
    """A piece of at most 30 s that the engine hears at once. The plan of a run is fixed when it is stored."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="windows")
    index = models.PositiveIntegerField()
    span = models.PositiveIntegerField()  # 5-10 minutes of windows: one activity
    batch = models.PositiveIntegerField()  # windows decoded and committed together; never spans two spans
    start = models.FloatField()  # seconds in the recording
    end = models.FloatField()
    attempts = models.PositiveIntegerField(default=0)  # times handed to an engine
    engine_deaths = models.PositiveIntegerField(default=0)  # engine children that died on it; twice is poison
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="one_window_for_each_index")]
        ordering = ["run", "index"]


class Segment(models.Model):
    """Some words with their times, as the engine heard them."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="segments")
    window = models.ForeignKey(Window, on_delete=models.CASCADE, related_name="segments")
    index = models.PositiveIntegerField()  # within its window
    start = models.FloatField()  # seconds in the recording
    end = models.FloatField()
    text = models.TextField()
    average_log_probability = models.FloatField(null=True)
    no_speech_probability = models.FloatField(null=True)
    compression_ratio = models.FloatField(null=True)
    temperature = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["window", "index"], name="one_segment_for_each_index")]
        indexes = [models.Index(fields=["run", "start"])]
        ordering = ["run", "start", "id"]


class RunEvent(models.Model):
    """One move of a run, written in the transaction that made it: the history people see."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=10)
    stage = models.CharField(max_length=20, blank=True)
    attempt = models.PositiveIntegerField(null=True)
    worker = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]


class Worker(models.Model):
    """A worker process that is or was alive: what it offers and how fast it is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    model = models.CharField(max_length=100)
    model_sha256 = models.CharField(max_length=64, blank=True)
    english_only = models.BooleanField(default=False)  # of the checkpoint it loaded
    translates = models.BooleanField(default=True)  # into English
    device = models.CharField(max_length=40)
    slots = models.PositiveIntegerField()
    speed = models.FloatField(null=True)  # seconds of audio for each second of one slot; null: not measured yet
    runs = models.JSONField(default=list)  # ids of the runs its activities work on right now
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)  # it said goodbye; its row is kept a day, for what it offered

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class Checkpoint(models.Model):
    """The hash a model name had when it was first loaded. Another hash under that name is refused until confirmed."""

    name = models.CharField(max_length=100, primary_key=True)
    sha256 = models.CharField(max_length=64)
    recorded_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} {self.sha256[:12]}"
