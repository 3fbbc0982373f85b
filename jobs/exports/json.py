"""JSON of a stable shape: facts of the recording and the run, then the segments with their times and scores."""

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

from jobs.exports.segments import segments_of, words_of
from jobs.models import Run, Segment

VERSION = 1  # grows when a field is renamed or removed, not when one is added


def as_json(run: Run) -> Iterator[str]:
    """One object; times in seconds of the recording. Written by hand around the list, so that it streams."""
    yield f'{{"version": {VERSION}, "recording": {_dump(_recording(run))}, "run": {_dump(_run(run))}, "segments": ['
    between = "\n"
    for segment in segments_of(run, words=True):
        yield between + _dump(_segment(segment))
        between = ",\n"
    yield "\n]}\n"


def _recording(run: Run) -> dict[str, Any]:
    job = run.job
    facts = {"id": str(job.pk), "title": job.title, "size": job.size, "sha256": job.sha256, "duration": job.duration}
    return {**facts, "uploaded_at": job.created_at.isoformat()}


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "number": run.number,
        "state": run.state,
        "model": run.model,
        "model_sha256": run.model_sha256,
        "mode": run.mode or None,
        "task": run.task,
        "language": run.language or None,
        "text_language": run.text_language or None,
        "language_probability": run.language_probability,
        "options": run.options,
        "warnings": run.warnings,
        "part": None if run.span_start is None else {"start": run.span_start, "end": run.span_end},
        "report": run.report,
        "reason": run.reason or None,
        "detail": run.detail or None,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text.strip(),
        "average_log_probability": _number(segment.average_log_probability),
        "no_speech_probability": _number(segment.no_speech_probability),
        "compression_ratio": _number(segment.compression_ratio),
        "temperature": _number(segment.temperature),
        "notes": segment.notes,
        "words": words_of(segment),
    }


def _number(score: float | None) -> float | None:
    """JSON knows no NaN and no infinity."""
    return score if score is not None and isfinite(score) else None


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
