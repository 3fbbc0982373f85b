"""Examples for the OpenAPI document: one value for each schema, put together from those of its parts.

A field says its own (`examples`), is a choice, or is named here. One with none stops the document from being made: its
reader would learn nothing from a filler.
"""

from typing import Any

type Json = dict[str, Any]

KINDS = {
    "uuid": "0195c0de-7a51-7c3e-9d4b-2f0e6a1b8c9d",
    "date-time": "2026-03-02T09:30:00+00:00",
    "binary": "the bytes of the recording",
}
PLAIN: Json = {"integer": 1, "boolean": True, "null": None}
SAID = "The boat comes back before the evening."
NAMED: Json = {
    "average_log_probability": -0.21,
    "compression_ratio": 1.34,
    "cursor": "MjAyNi0wMy0wMlQwOTozMDowMCswMDowMCAwMTk1YzBkZQ",
    "detail": "The recording ends early: its last part could not be read.",
    "email": "alice@example.org",
    "expires_at": "2026-03-03T09:30:00+00:00",
    "finished_at": None,
    "hot_words": "Ngozi Adeyemi, NVMe",
    "Idempotency-Key": "backup-2026-03-02-interview",
    "language": "de",
    "length": 48_213_004,
    "model": "base",
    "name": "alice",
    "next": "MjAyNi0wMy0wMlQwOTozMDowMCswMDowMCAwMTk1YzBkZQ",
    "no_speech_probability": 0.02,
    "offset": 33_554_432,
    "prompt": "A talk about the storage of our servers.",
    "reason": None,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "stage": "transcribing",
    "state": "running",
    "task": "transcribe",
    "temperature": 0.0,
    "title": "interview.mp3",
    "Upload-Length": 48_213_004,
    "Upload-Offset": 33_554_432,
    "url": "/api/v1/uploads/0195c0de-7a51-7c3e-9d4b-2f0e6a1b8c9d",
}
FILES: Json = {  # downloads by format
    "txt": f"{SAID}\n",
    "srt": f"1\n00:00:12,480 --> 00:00:15,020\n{SAID}\n",
    "vtt": f"WEBVTT\n\n00:12.480 --> 00:15.020\n{SAID}\n",
    "tsv": f"start\tend\ttext\n12480\t15020\t{SAID}\n",
    "json": {"version": 1, "segments": [{"start": 12.48, "end": 15.02, "text": SAID}]},
}


def value_of(schema: Json, schemas: Json, name: str = "") -> Any:
    """One value that fits a JSON schema, of the field of this name. Raises LookupError where there is no example."""
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if name in NAMED:
        return NAMED[name]
    if "$ref" in schema:
        return value_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return value_of(schema["anyOf"][0], schemas)
    kind = schema.get("type")
    if kind == "object":
        return {each: value_of(one, schemas, each) for each, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [value_of(schema["items"], schemas)]
    return _plain(schema, name)


def _plain(schema: Json, name: str) -> Any:
    if schema.get("format") in KINDS:
        return KINDS[schema["format"]]
    if schema.get("type") not in PLAIN:
        raise LookupError(f"The field {name or schema} has no example.")
    return PLAIN[schema["type"]]
