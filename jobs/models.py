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
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads", verbose_name=_("owner")
    )
    title = models.CharField(_("title"), max_length=255)
    length = models.BigIntegerField(_("size"), null=True)  # bytes promised; null: not told
    offset = models.BigIntegerField(_("received"), default=0)  # bytes kept
    created_at = models.DateTimeField(_("begun"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    job = models.OneToOneField(
        "jobs.Job", on_delete=models.CASCADE, null=True, related_name="upload", verbose_name=_("recording")
    )
    # its client can go on after a cut; that of the one-shot door cannot
    resumable = models.BooleanField(_("resumable"), default=False)
    options = models.JSONField(_("options"), default=dict)  # of the run to be, see `jobs.services.options`
    metadata = models.TextField(blank=True)  # Upload-Metadata as the client sent it, which tus wants to be told again

    class Meta:
        verbose_name, verbose_name_plural = _("upload"), _("uploads")

    @property
    def path(self) -> Path:
        return Path(settings.MEDIA_ROOT) / "uploads" / str(self.id)


class Job(models.Model):
    """A recording. What people call its state is its current run's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs", verbose_name=_("owner")
    )
    title = models.CharField(_("title"), max_length=255)  # the name the person gave the file; never a path
    size = models.BigIntegerField(_("size"))  # bytes
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    duration = models.FloatField(_("length"), null=True)  # seconds, as decoded, not as the header claims
    # FFmpeg's names of what was found; empty: not looked yet
    container = models.CharField(_("container"), max_length=32, blank=True)
    codec = models.CharField(_("codec of the sound"), max_length=32, blank=True)
    picture = models.CharField(_("codec of the pictures"), max_length=32, blank=True)  # empty: none
    rendition = models.CharField(
        _("playable form"), max_length=8, choices=[(s.value, s.value) for s in Rendition], blank=True
    )
    current_run = models.ForeignKey(
        "jobs.Run", on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("current transcription")
    )
    protected = models.BooleanField(_("kept"), default=False)  # no retention deletes it
    # when its last run ended, or when it was last given free again; null: a run is open. See `jobs.services.retention`
    idle_since = models.DateTimeField(_("at rest since"), null=True)
    # grows with every announcement; stale fragments are dropped by it
    revision = models.BigIntegerField(_("revision"), default=0)
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("recording"), _("recordings")
        permissions = [("see_titles", "Can see and search the titles of all recordings")]
        indexes = [
            models.Index(fields=["owner", "-created_at"]),
            models.Index(fields=["-created_at"]),
            # what retention may delete, the oldest first: however many are kept, none of those is read for it
            models.Index(fields=["idle_since", "id"], condition=models.Q(protected=False), name="jobs_job_not_kept"),
        ]

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
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="runs", verbose_name=_("recording"))
    number = models.PositiveIntegerField(_("number"))
    state = models.CharField(
        _("state"), max_length=10, choices=[(s.value, s.value) for s in RunState], default=RunState.QUEUED
    )
    stage = models.CharField(_("stage"), max_length=20, blank=True)  # see `jobs.services.stage`
    # as submitted, see `jobs.services.options`; older rows lack keys
    options = models.JSONField(_("options"), default=dict)
    model = models.CharField(_("model"), max_length=100)
    model_sha256 = models.CharField(_("SHA-256 of the model"), max_length=64, blank=True)
    # how the engine that heard it first computes, `worker.engine.base.MODES`; empty: nothing heard, or an older run
    mode = models.CharField(_("mode of the engine"), max_length=10, blank=True)
    # decided for this run, by the person or by the vote
    language = models.CharField(_("language"), max_length=8, blank=True)
    language_probability = models.FloatField(_("certainty of the language"), null=True)  # 0..1; null: a person chose
    reason = models.CharField(_("code of the cause"), max_length=40, blank=True)
    detail = models.TextField(_("cause"), blank=True)  # the same as a sentence
    warnings = models.JSONField(_("warnings"), default=list)  # [{"code", "detail"}]
    # of a run that hears a part again: the run whose text is kept outside `span_start` to `span_end` (seconds)
    parent = models.ForeignKey(
        "jobs.Run",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="repeats",
        verbose_name=_("repeats a part of"),
    )
    span_start = models.FloatField(_("part from second"), null=True)
    span_end = models.FloatField(_("part to second"), null=True)
    # what a reader should look at, see `jobs.services.quality`; null: not made
    report = models.JSONField(_("quality report"), null=True)
    # workflows begun after the first, see `worker.scheduler`
    restarts = models.PositiveIntegerField(_("restarts"), default=0)
    created_at = models.DateTimeField(_("queued"), auto_now_add=True)
    admitted_at = models.DateTimeField(_("admitted"), null=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("transcription"), _("transcriptions")
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_run_for_each_number")]
        # by their end: the figures of the last minutes, asked for every few seconds
        indexes = [models.Index(fields=["state", "created_at"]), models.Index(fields=["finished_at"])]

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
    def heard_language(self) -> str:
        """The code of the language the engine is told. A part heard again may be in another one than the recording."""
        return str(self.options.get("language") or self.language)

    @property
    def workflow_id(self) -> str:
        return f"run-{self.id}" + (f"-{self.restarts}" if self.restarts else "")

    @property
    def samples_path(self) -> Path:
        """16 kHz mono s16 samples: a cache, rebuilt when missing, deleted when the run ends."""
        return Path(settings.MEDIA_ROOT) / "jobs" / str(self.job_id) / f"{self.id}.s16"


class WindowQuerySet(models.QuerySet["Window"]):
    def to_hear(self) -> "WindowQuerySet":
        """Without those whose text a run that hears a part again took over from its parent."""
        inside = models.Q(start__gte=models.F("run__span_start"), end__lte=models.F("run__span_end"))
        return self.filter(models.Q(run__span_start=None) | inside)


class Window(models.Model):
    """A piece of at most 30 s that the engine hears at once. The plan of a run is fixed when it is stored."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="windows", verbose_name=_("transcription"))
    index = models.PositiveIntegerField(_("number"))
    span = models.PositiveIntegerField(_("span"))  # 5-10 minutes of windows: one activity
    batch = models.PositiveIntegerField(_("batch"))  # windows decoded and committed together; never spans two spans
    start = models.FloatField(_("from second"))  # seconds in the recording
    end = models.FloatField(_("to second"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)  # times handed to an engine
    # engine children that died on it; twice is poison
    engine_deaths = models.PositiveIntegerField(_("engine deaths"), default=0)
    done_at = models.DateTimeField(_("done"), null=True)

    objects = WindowQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("window"), _("windows")
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
    # [[start, end, text, probability]]; empty: times of words were not asked for
    words = models.JSONField(default=list)
    notes = models.JSONField(default=list)  # codes of what the guards found

    class Meta:
        constraints = [models.UniqueConstraint(fields=["window", "index"], name="one_segment_for_each_index")]
        indexes = [models.Index(fields=["run", "start"])]
        ordering = ["run", "start", "id"]


class RunEvent(models.Model):
    """One move of a run, written in the transaction that made it: the history people see."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", verbose_name=_("transcription"))
    at = models.DateTimeField(_("time"), auto_now_add=True)
    state = models.CharField(_("state"), max_length=10)
    stage = models.CharField(_("stage"), max_length=20, blank=True)
    attempt = models.PositiveIntegerField(_("attempt"), null=True)
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    reason = models.CharField(_("code of the cause"), max_length=40, blank=True)
    detail = models.TextField(_("cause"), blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("event"), _("events")
        ordering = ["id"]


class Worker(models.Model):
    """A worker process that is or was alive: what it offers and how fast it is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(_("machine"), max_length=100)
    pid = models.PositiveIntegerField(_("process"))
    model = models.CharField(_("model"), max_length=100)
    model_sha256 = models.CharField(_("SHA-256 of the model"), max_length=64, blank=True)
    mode = models.CharField(_("mode of the engine"), max_length=10, blank=True)  # as in Run
    english_only = models.BooleanField(_("English only"), default=False)  # of the checkpoint it loaded
    translates = models.BooleanField(_("translates"), default=True)  # into English
    device = models.CharField(_("device"), max_length=40)
    slots = models.PositiveIntegerField(_("slots"))
    # seconds of audio for each second of one slot; null: not measured yet
    speed = models.FloatField(_("speed"), null=True)
    runs = models.JSONField(_("transcriptions under way"), default=list)  # ids of those it works on right now
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    seen_at = models.DateTimeField(_("last seen"), db_index=True)
    # it said goodbye; its row is kept a day, for what it offered
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("worker"), _("workers")

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class Checkpoint(models.Model):
    """The hash a model name had when it was first loaded. Another hash under that name is refused until confirmed."""

    name = models.CharField(_("name"), max_length=100, primary_key=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    recorded_at = models.DateTimeField(_("recorded"), auto_now_add=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("checkpoint"), _("checkpoints")

    def __str__(self) -> str:
        return f"{self.name} {self.sha256[:12]}"
