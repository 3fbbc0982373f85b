"""Runs in the shapes of OpenAI's audio API. All of these block: they ask the database."""

import json
from math import isfinite
from typing import Any

from jobs import exports, words
from jobs.errors import JobError
from jobs.exports.segments import segments_of
from jobs.models import Run, Segment

Content = tuple[bytes, bytes]
"""A body and its content type."""

AS_FILES = {"text": "txt", "srt": "srt", "vtt": "vtt"}


def answer_of(run: Run, form: str) -> Content:
    """An ended run's transcript as `response_format` asks for it."""
    if form in AS_FILES:
        name = AS_FILES[form]
        return "".join(exports.export(run, name)).encode(), exports.FORMATS[name].content_type.encode()
    return as_json(_verbose(run) if form == "verbose_json" else {"text": text_of(run), "usage": _usage(run)})


def text_of(run: Run) -> str:
    """All of it in one line, as theirs."""
    return " ".join(filter(None, (segment.text.strip() for segment in segments_of(run))))


def as_json(content: object) -> Content:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode(), b"application/json"


def refusal(error: JobError) -> dict[str, Any]:
    """Their form of an error, around our code and sentence."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {"error": {"message": str(error.detail), "type": kind, "code": error.code, "param": None}}


def _verbose(run: Run) -> dict[str, Any]:
    return {
        "task": run.task,
        "language": words.language(run.language).lower() if run.language else "",
        "duration": run.job.duration or 0.0,
        "text": text_of(run),
        "segments": [_segment(number, segment) for number, segment in enumerate(segments_of(run))],
        "usage": _usage(run),
    }


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """`seek` counts hundredths of a second, as in openai-whisper; token ids are not kept."""
    return {
        "id": number,
        "seek": round(segment.window.start * 100),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": _number(segment.temperature),
        "avg_logprob": _number(segment.average_log_probability),
        "compression_ratio": _number(segment.compression_ratio),
        "no_speech_prob": _number(segment.no_speech_probability),
    }


def _usage(run: Run) -> dict[str, Any]:
    return {"type": "duration", "seconds": run.job.duration or 0.0}


def _number(score: float | None) -> float:
    """Their clients want a number here."""
    return score if score is not None and isfinite(score) else 0.0
