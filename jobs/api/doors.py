"""The calls that ninja does not serve, described for the OpenAPI document: uploads and events, raw ASGI handlers.

Their routes are in `transcribe/asgi.py`; what they answer is told in `jobs.uploads.door`, `jobs.uploads.tus` and
`jobs.events`. A test compares this description with what they really answer.
"""

from typing import Any

from django.conf import settings

from jobs.services.options import FIELDS, MOST, QUICK

type Json = dict[str, Any]

TEXT: Json = {"type": "string"}
UUID: Json = {"type": "string", "format": "uuid"}
WHOLE: Json = {"type": "integer", "minimum": 0}
PROBLEM: Json = {"$ref": "#/components/schemas/Problem"}
JOB_PAGE = "/jobs/0195c0de-7a51-7c3e-9d4b-2f0e6a1b8c9d/"
UPLOAD = "/api/v1/uploads/0195c0de-7a51-7c3e-9d4b-2f0e6a1b8c9d"
EVENT = """id: 7
event: state
data: {"id": "0195c0de-7a51-7c3e-9d4b-2f0e6a1b8c9d", "state": "running", "stage": "transcribing", "percent": 42,\
 "seconds_left": 95.0, "place": null, "segments": 118, "reason": "", "detail": ""}

"""
OFTEN = (400, 401, 403, 408, 503)  # what every door can answer
MEANINGS = {
    400: "Bad request",
    401: "No token, or one that is not valid",
    403: "Not allowed with this token",
    404: "Not there, or not yours",
    408: "The client fell silent",
    409: "Conflict",
    410: "Left unfinished for too long",
    412: "Another version of the protocol",
    413: "Too large",
    415: "Not the kind of body this call takes",
    423: "Written by another connection",
    429: "Too many",
    503: "Not available right now",
    507: "No room",
}


def paths(security: list[Json]) -> dict[str, Json]:
    """By address and method; `security` as ninja writes it for its own calls."""
    described: dict[str, Json] = {
        "/api/v1/upload": {"post": _one_shot()},
        "/api/v1/uploads/": {"get": _list(), "post": _create()},
        "/api/v1/uploads/{upload_id}": {"head": _ask(), "patch": _append(), "delete": _remove()},
        "/api/v1/jobs/{job_id}/events": {"get": _events()},
    }
    for operations in described.values():
        for operation in operations.values():
            operation["security"] = security
    return described


def _one_shot() -> Json:
    beams = {"type": "string", "enum": [str(beam) for beam in range(QUICK, MOST + 1)]}
    fields = {"file": {"type": "string", "format": "binary"}, **dict.fromkeys(FIELDS, TEXT), "beam": beams}
    form = {"type": "object", "required": ["file"], "properties": fields}
    done = {"id": UUID, "url": {**TEXT, "examples": [JOB_PAGE]}, "state": {**TEXT, "enum": ["queued"]}}
    return {
        **_about("upload", "Uploads", "Upload in one request", "The whole recording as a form; streamed to disk."),
        "parameters": [_header("Idempotency-Key", {**TEXT, "maxLength": 255, "pattern": "^[ -~]+$"})],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        "responses": {
            201: _answer("The recording is queued", _object(done)),
            **_problems(*OFTEN, 413, 415, 423, 429, 507),
        },
    }


def _list() -> Json:
    entry = {"id": UUID, "url": TEXT, "title": TEXT, "length": WHOLE, "offset": WHOLE, "expires_at": TEXT}
    return {
        **_about("list_uploads", "Uploads", "Unfinished uploads", "Those that can be gone on with, newest first."),
        "responses": {200: _answer("The list", {"type": "array", "items": _object(entry)}), **_problems(*OFTEN)},
    }


def _create() -> Json:
    return {
        **_about("create_upload", "Uploads", "Begin a resumable upload", "tus 1.0.0, creation. The answer's Location."),
        "parameters": [
            _version(),
            _header(
                "Upload-Length",
                {"type": "integer", "minimum": 1, "maximum": settings.UPLOAD_LIMIT_BYTES},
                required=True,
            ),
            _header("Upload-Metadata", {**TEXT, "examples": ["filename dGFsay5tcDM=,language ZGU="]}),
        ],
        "responses": {
            201: _told("Begun", Location=UPLOAD),
            **_problems(*OFTEN, 409, 410, 412, 413, 415, 423, 429, 507),
        },
    }


def _ask() -> Json:
    refused = {status: {"description": MEANINGS[status]} for status in (*OFTEN, 404, 410, 412, 423)}
    return {
        **_about("ask_upload", "Uploads", "How much arrived", "tus 1.0.0: Upload-Offset, and X-Job once it is whole."),
        "parameters": [_upload(), _version()],
        "responses": {200: _told("The place", **{"Upload-Offset": 33_554_432, "Upload-Length": 48_213_004}), **refused},
    }


def _append() -> Json:
    piece = {"schema": {"type": "string", "format": "binary"}}
    return {
        **_about("append_upload", "Uploads", "Send on", "tus 1.0.0: bytes from Upload-Offset on; what came is kept."),
        "parameters": [_upload(), _version(), _header("Upload-Offset", WHOLE, required=True)],
        "requestBody": {"required": True, "content": {"application/offset+octet-stream": piece}},
        "responses": {
            204: _told("Kept", **{"Upload-Offset": 41_943_040}),
            **_problems(*OFTEN, 404, 409, 410, 412, 413, 415, 423, 507),
        },
    }


def _remove() -> Json:
    return {
        **_about("remove_upload", "Uploads", "Give an upload up", "tus 1.0.0, termination."),
        "parameters": [_upload(), _version()],
        "responses": {204: {"description": "Removed"}, **_problems(*OFTEN, 404, 409, 410, 412, 423)},
    }


def _events() -> Json:
    events = {**TEXT, "examples": [EVENT]}
    told = "Server-sent events named state, each with all of it as JSON. The first is the state now; the last is final."
    return {
        **_about("follow_job", "Recordings", "Follow a recording", told),
        "parameters": [{"name": "job_id", "in": "path", "required": True, "schema": UUID}],
        "responses": {
            200: {"description": "The events", "content": {"text/event-stream": {"schema": events}}},
            **_problems(401, 403, 404, 429, 503),
        },
    }


def _about(name: str, tag: str, summary: str, description: str) -> Json:
    return {"operationId": name, "tags": [tag], "summary": summary, "description": description}


def _upload() -> Json:
    return {"name": "upload_id", "in": "path", "required": True, "schema": UUID}


def _version() -> Json:
    return _header("Tus-Resumable", {**TEXT, "enum": ["1.0.0"]}, required=True)


def _header(name: str, schema: Json, *, required: bool = False) -> Json:
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _object(fields: dict[str, Json]) -> Json:
    return {"type": "object", "required": list(fields), "properties": fields}


def _answer(meaning: str, schema: Json) -> Json:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _told(meaning: str, **headers: str | int) -> Json:
    """An answer whose headers say it, with an example of each."""
    kinds = {name: "string" if isinstance(value, str) else "integer" for name, value in headers.items()}
    return {
        "description": meaning,
        "headers": {name: {"schema": {"type": kinds[name]}, "example": value} for name, value in headers.items()},
    }


def _problems(*statuses: int) -> dict[int, Json]:
    return {status: _answer(MEANINGS[status], PROBLEM) for status in statuses}
