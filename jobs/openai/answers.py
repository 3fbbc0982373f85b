"""Runs in the shapes of OpenAI's audio API. All of these block: they ask the database."""

import json
from collections.abc import Collection
from math import isfinite
from typing import Any

from jobs import exports, words
from jobs.errors import JobError
from jobs.exports.segments import segments_of, words_of
from jobs.models import Run, Segment
from jobs.openai.request import SEGMENT, WORD, Asked

Content = tuple[bytes, bytes]
"""A body and its content type."""

AS_FILES = {"text": "txt", "srt": "srt", "vtt": "vtt"}


def answer_of(run: Run, wanted: Asked) -> Content:
    """An ended run's transcript as `response_format` asks for it."""
    if wanted.format in AS_FILES:
        name = AS_FILES[wanted.format]
        return "".join(exports.export(run, name)).encode(), exports.FORMATS[name].content_type.encode()
    if wanted.format == "verbose_json":
        return as_json(_verbose(run, wanted.times))
    return as_json({"text": text_of(run), "usage": _usage(run)})


def text_of(run: Run) -> str:
    """All of it in one line, as theirs."""
    return " ".join(filter(None, (segment.text.strip() for segment in segments_of(run))))


def as_json(content: object) -> Content:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode(), b"application/json"


def refusal(error: JobError) -> dict[str, Any]:
    """Their form of an error, around our code and sentence."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {"error": {"message": str(error.detail), "type": kind, "code": error.code, "param": None}}


def _verbose(run: Run, times: Collection[str]) -> dict[str, Any]:
    """`segments` and `words` each where asked for, as theirs."""
    said = list(segments_of(run, words=WORD in times))
    timed: dict[str, Any] = {}
    if SEGMENT in times:
        timed["segments"] = [_segment(number, segment) for number, segment in enumerate(said)]
    if WORD in times:
        timed["words"] = [_word(word) for segment in said for word in words_of(segment)]
    return {
        "task": run.task,
        "language": words.language(run.language).lower() if run.language else "",
        "duration": run.job.duration or 0.0,
        "text": text_of(run),
        **timed,
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


def _word(word: dict[str, Any]) -> dict[str, Any]:
    return {"word": word["text"].strip(), "start": word["start"], "end": word["end"]}


def _usage(run: Run) -> dict[str, Any]:
    return {"type": "duration", "seconds": run.job.duration or 0.0}


def _number(score: float | None) -> float:
    """Their clients want a number here."""
    return score if score is not None and isfinite(score) else 0.0
