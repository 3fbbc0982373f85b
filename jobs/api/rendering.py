"""Rows as the API's schemas. A page costs the same number of queries as one recording."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from django.urls import reverse
from django.utils import timezone

from jobs import words
from jobs.api.schemas import (
    EntryOut,
    EventOut,
    JobOut,
    PartOut,
    ReportOut,
    RunDetail,
    RunOut,
    SegmentOut,
    Warning,
    WordOut,
)
from jobs.exports.segments import words_of
from jobs.models import Job, Run, RunEvent, Segment
from jobs.progress import Progress, progress_of
from jobs.services.options import stored_options
from jobs.services.retention import deleted_at
from jobs.states import RunState


def jobs_out(jobs: Sequence[Job]) -> list[JobOut]:
    """With `current_run` selected."""
    progress = progress_of([job.current_run for job in jobs if job.current_run], timezone.now())
    return [
        _job_out(job, progress.get(job.current_run_id, Progress()) if job.current_run_id else Progress())
        for job in jobs
    ]


def job_out(job: Job) -> JobOut:
    return jobs_out([job])[0]


def _job_out(job: Job, progress: Progress) -> JobOut:
    run = job.current_run
    done = run is not None and run.state == RunState.SUCCEEDED
    return JobOut(
        id=job.pk,
        title=job.title,
        url=reverse("job", args=[job.pk]),
        size=job.size,
        sha256=job.sha256,
        duration=job.duration,
        created_at=job.created_at,
        kept=job.protected,
        deleted_at=deleted_at(job),
        state=RunState(run.state) if run else None,
        percent=100 if done else progress.percent,
        seconds_left=progress.left,
        work_seconds=progress.work,
        finish_at=progress.finish,
        place=progress.place,
        run=run_out(run) if run else None,
    )


def run_out(run: Run) -> RunOut:
    return RunOut(**_run_fields(run))


def run_detail(run: Run) -> RunDetail:
    """With the history: one query more."""
    asked = stored_options(run.options)
    history = [_event_out(event) for event in run.events.order_by("pk")]
    return RunDetail(**_run_fields(run), prompt=asked.prompt, hot_words=asked.hot_words, history=history)


def segment_out(segment: Segment, *, with_words: bool) -> SegmentOut:
    return SegmentOut(
        id=segment.pk,
        start=segment.start,
        end=segment.end,
        text=segment.text.strip(),
        average_log_probability=_number(segment.average_log_probability),
        no_speech_probability=_number(segment.no_speech_probability),
        compression_ratio=_number(segment.compression_ratio),
        temperature=_number(segment.temperature),
        notes=segment.notes,
        words=[WordOut(**word) for word in words_of(segment)] if with_words else None,
    )


def report_out(run: Run) -> ReportOut:
    made = run.report or {"counts": {}, "entries": [], "more": 0}
    entries = [EntryOut(**entry) for entry in made["entries"]]
    known = {"counts": made["counts"], "entries": entries, "more": made["more"]}
    return ReportOut(run=run.number, mode=run.mode or None, made=run.report is not None, **known)


def _part_out(run: Run) -> PartOut | None:
    if run.span_start is None or run.span_end is None:
        return None
    return PartOut(start=run.span_start, end=run.span_end, of=run.parent.number if run.parent else None)


def _run_fields(run: Run) -> dict[str, Any]:
    return {
        "id": run.pk,
        "number": run.number,
        "state": RunState(run.state),
        "stage": run.stage or None,
        "model": run.model,
        "mode": run.mode or None,
        "task": run.task,
        "language": run.language or None,
        "text_language": run.text_language or None,
        "language_probability": run.language_probability,
        "beam": stored_options(run.options).beam,
        "reason": run.reason or None,
        "detail": words.why(run) or None,
        "warnings": [Warning(code=one["code"], detail=one["detail"]) for one in run.warnings],
        "part": _part_out(run),
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def _event_out(event: RunEvent) -> EventOut:
    return EventOut(
        at=event.at,
        state=RunState(event.state),
        stage=event.stage or None,
        attempt=event.attempt,
        reason=event.reason or None,
        detail=words.why(event) or None,
    )


def _number(score: float | None) -> float | None:
    """JSON knows no NaN and no infinity."""
    return score if score is not None and isfinite(score) else None
