"""The bodies of the activities: each reads the rows, does its piece, and hands the result to a verb."""

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from django.db import close_old_connections
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError

from jobs.failpoints import Point, reach
from jobs.models import Job, Run, Window
from jobs.services import begin, plan, windows
from jobs.services.finish import fail, finish
from jobs.services.options import TRANSCRIBE, stored_options
from jobs.services.renditions import store_rendition
from jobs.states import Rendition, RunState
from worker import contract, lines, meters
from worker.endings import ATTEMPTS_ALLOWED, INTERNAL, EngineAway, failed, refused, stopped
from worker.engine.base import Options, Piece, Segment
from worker.engine.slots import EngineDied, EngineRefused, Slot, SlotPool
from worker.plan import spread
from worker.presence import Presence, offered_speed
from worker.renditions import LISTENED, make_rendition
from worker.samples import decode_samples, plan_windows, speech_path
from worker.scan import first_stage, scan_recording
from worker.silence import mark_silence
from worker.watch import Stopped, Watch

logger = logging.getLogger(__name__)


class OfRun(Protocol):
    """An activity's argument: it names its run."""

    @property
    def run_id(self) -> str: ...


def guarded[A: OfRun, R](body: Callable[["Activities", A], R]) -> Callable[["Activities", A], R]:
    """Fresh database connections on this thread, the run on every line, and every failure as something the workflow
    can act on."""

    @functools.wraps(body)
    def run(self: "Activities", asked: A) -> R:
        close_old_connections()  # Temporal's threads never see Django's request signals
        lines.about(run=asked.run_id, attempt=activity.info().attempt)
        try:
            return body(self, asked)
        except Stopped:
            raise stopped() from None
        except (ApplicationError, CancelledError):
            raise
        except Exception as error:
            ending = failed(error, activity.info().attempt)
            if ending.type == INTERNAL:
                name = type(error).__name__
                logger.error("an activity of %s failed: %s", activity.info().workflow_id, name, exc_info=error)
            # Postgres quotes the row in its message, and the row may hold the transcript: the log leaves such messages
            # out (`worker.lines`), while the history would keep the cause with its own.
            raise ending from None
        finally:
            lines.about_nothing()
            close_old_connections()

    return run


@dataclass
class Activities:
    """Bodies bound to this worker's presence and to its engine slots for one model."""

    pool: SlotPool
    presence: Presence

    def __post_init__(self) -> None:
        # One of each at a time for each worker: clamd stores all that it is being sent.
        self._decoding, self._scanning = threading.Lock(), threading.Lock()

    @property
    def queue(self) -> str:
        """Of this model."""
        return contract.transcribe_queue(self.pool.loaded.model)

    def on_media(self) -> list[Callable[..., Any]]:
        """Bodies for the media queue."""
        return [self.inspect, self.finish_run, self.fail_run]

    def on_engine(self) -> list[Callable[..., Any]]:
        """Bodies for the queue of this worker's model."""
        return [self.vote_language, self.transcribe_span]

    def on_rendition(self) -> list[Callable[..., Any]]:
        """Bodies for the rendition queue."""
        return [self.make_rendition]

    @activity.defn(no_thread_cancel_exception=True)
    @guarded
    def inspect(self, ref: contract.RunRef) -> contract.Inspection:
        run_id = UUID(ref.run_id)
        with self.presence.working(run_id):
            attempt = activity.info().attempt
            if not begin.begin(run_id, attempt=attempt, worker=self.presence.name, stage=first_stage()):
                raise Stopped
            run = Run.objects.select_related("job").get(pk=run_id)
            lines.about(job=str(run.job_id))
            watch = Watch(run_id)
            if not run.windows.to_hear().exists():
                with watch.waiting_for(self._scanning):
                    notes = scan_recording(run, watch, functools.partial(self._turn_to, run))
                self._turn_to(run, begin.PREPARING)
                with watch.waiting_for(self._decoding):
                    decoded = decode_samples(run, watch)
                reach(Point.DECODED)
                speed = offered_speed(run.model)  # which may not be this worker's
                plan_windows(run, decoded, speed=speed, notes=notes)
            reach(Point.PLANNED)
            return self._inspection(run)

    def _inspection(self, run: Run) -> contract.Inspection:
        last = run.windows.to_hear().order_by("-span").values_list("span", flat=True).first()
        chosen = run.options.get("language")
        if chosen and not (run.parent_id and run.language):  # another language for a part is not the recording's
            plan.store_language(run.pk, chosen, None)
        decided = chosen or Run.objects.values_list("language", flat=True).get(pk=run.pk)
        return contract.Inspection(
            spans=0 if last is None else last + 1,
            vote_needed=last is not None and not decided,
            rendition=Job.objects.filter(pk=run.job_id, rendition=Rendition.WANTED).exists(),
        )

    @activity.defn(no_thread_cancel_exception=True)
    @guarded
    def make_rendition(self, ref: contract.RunRef) -> None:
        run = Run.objects.select_related("job").filter(pk=ref.run_id, state__in=LISTENED).first()
        if run is None:
            raise Stopped
        try:
            make_rendition(run, Watch(run.pk, wanted_in=LISTENED))
        except (Stopped, ApplicationError, CancelledError):
            raise
        except Exception:
            if activity.info().attempt >= ATTEMPTS_ALLOWED:
                store_rendition(run.job_id, Rendition.FAILED)
            raise

    @activity.defn(no_thread_cancel_exception=True)
    @guarded
    def vote_language(self, ref: contract.RunRef) -> None:
        run = self._open_run(ref.run_id)
        with self.presence.working(run.pk):
            watch = self._enter(run, begin.LISTENING)
            decode_samples(run, watch)
            self._check_engine(run)
            pieces = spread([_piece(w) for w in run.windows.to_hear()])
            with self.pool.slot(watch.poll) as slot:
                warm(slot, watch)
                vote = slot.vote_language(run.samples_path, pieces, poll=watch.poll)
            plan.store_language(run.pk, vote.language, vote.probability)

    @activity.defn(no_thread_cancel_exception=True)
    @guarded
    def transcribe_span(self, ref: contract.SpanRef) -> None:
        reach(Point.BEFORE_SPAN)
        run = self._open_run(ref.run_id)
        with self.presence.working(run.pk):
            watch = self._enter(run, begin.TRANSCRIBING, f"part {ref.span + 1}")
            decode_samples(run, watch)
            self._check_engine(run)
            with self.pool.slot(watch.poll) as slot:
                while left := windows.batches_left(run.pk, ref.span):
                    watch.leave_at_shutdown()
                    self._hear_batch(run, slot, left[0], watch, last=len(left) == 1)

    @activity.defn(no_thread_cancel_exception=True)
    @guarded
    def finish_run(self, ref: contract.RunRef) -> None:
        attempt, run_id = activity.info().attempt, UUID(ref.run_id)
        reach(Point.BEFORE_FINISH)
        if not finish(run_id, attempt=attempt, worker=self.presence.name):
            raise Stopped
        reach(Point.FINISHED)

    @activity.defn(no_thread_cancel_exception=True)
    @guarded
    def fail_run(self, failure: contract.Failure) -> None:
        if fail(UUID(failure.run_id), reason=failure.code, detail=failure.detail, worker=self.presence.name):
            meters.FAILURES.labels(failure.code).inc()

    def _open_run(self, run_id: str) -> Run:
        run = Run.objects.select_related("job").filter(pk=run_id, state=RunState.RUNNING).first()
        if run is None:
            raise Stopped
        lines.about(job=str(run.job_id))
        return run

    def _enter(self, run: Run, stage: str, detail: str = "") -> Watch:
        attempt = activity.info().attempt
        if not begin.enter_stage(run.pk, stage, attempt=attempt, worker=self.presence.name, detail=detail):
            raise Stopped
        return Watch(run.pk)

    def _turn_to(self, run: Run, stage: str) -> bool:
        """Say what it does now; whether that is news."""
        if self._open_run(str(run.pk)).stage == stage:
            return False
        self._enter(run, stage)
        return True

    def _check_engine(self, run: Run) -> None:
        """One run is heard by one set of weights, in one mode, whatever happens to the file behind the model's name and
        to ENGINE_MODE."""
        loaded = self.pool.loaded
        if plan.store_engine(run.pk, loaded.sha256, loaded.mode):
            return
        run.refresh_from_db(fields=["model_sha256"])
        if run.model_sha256 != loaded.sha256:
            raise refused("model_changed", "The model was replaced while this recording was transcribed. Run it again.")
        raise refused(
            "mode_changed", "The speech engine was set differently while this recording was transcribed. Run it again."
        )

    def _hear_batch(self, run: Run, slot: Slot, batch: Sequence[Window], watch: Watch, *, last: bool) -> None:
        options = options_of(run)
        try:
            warm(slot, watch)  # a child that dies while it loads says nothing about these windows
            windows.hand_over(batch)
            began = time.monotonic()
            heard = slot.hear(run.samples_path, [_piece(w) for w in batch], options, poll=watch.poll, last=last)
            took = time.monotonic() - began
            logger.info("run %s: heard %d windows in %.3f s", run.pk, len(batch), took)
        except EngineDied as death:
            logger.warning("engine died on run %s: %s", run.pk, death)
            meters.DEATHS.labels(run.model).inc()
            if windows.record_engine_death(batch):
                raise refused(
                    "poison",
                    "A part of this recording made the speech engine crash twice, so it was set aside. "
                    "What was heard before it is kept.",
                ) from None
            return
        reach(Point.HEARD)
        if not windows.commit_windows(run.pk, _by_window(heard, speech_path(run))):
            raise Stopped
        reach(Point.WINDOWS_COMMITTED)
        meters.note_heard(run.model, sum(window.end - window.start for window in batch), took)
        activity.heartbeat()


def warm(slot: Slot, watch: Watch) -> None:
    """See that the slot's engine has its model in memory."""
    try:
        slot.warm(watch.poll)
    except EngineRefused as refusal:
        raise EngineAway(refusal.code) from refusal


def options_of(run: Run) -> Options:
    """What the engine is asked, read from the row: people's text is in no payload."""
    asked = stored_options(run.options)
    return Options(
        language=run.heard_language,
        seed=run.number,
        task=run.task,
        words=run.task == TRANSCRIBE,  # a translated word has no moment in the sound
        beam=asked.beam,
        prompt=asked.prompt,
        hot_words=asked.hot_words,
    )


def _piece(window: Window) -> Piece:
    return Piece(index=window.index, start=window.start, end=window.end)


def _by_window(heard: Mapping[int, Sequence[Segment]], speech: Path) -> dict[int, list[windows.HeardSegment]]:
    """The engine's segments in the words of `jobs`: neither knows the other, their fields are the same."""
    return {index: [_in_rows(segment) for segment in mark_silence(said, speech)] for index, said in heard.items()}


def _in_rows(segment: Segment) -> windows.HeardSegment:
    fields = {name: value for name, value in vars(segment).items() if name != "words"}
    return windows.HeardSegment(**fields, words=[astuple(word) for word in segment.words])
