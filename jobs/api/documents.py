"""The OpenAPI document, completed: an example for every call and every refusal."""

from typing import Any

from jobs.api import doors
from jobs.api.examples import FILES, value_of
from jobs.api.problems import EXAMPLES
from jobs.exports import FORMATS

type Json = dict[str, Any]

ABOUT = """Upload recordings, follow their transcription, download the text.

Send `Authorization: Bearer <token>` with a personal token from your account page. What is not yours is not there: 404.
Every refusal is `{"code", "detail", "request_id"}`; 429 carries `Retry-After` in seconds.
Resumable uploads speak tus 1.0.0 at `/api/v1/uploads/`; `docs/api.md` shows both ways with curl."""
REQUEST_ID = "5f0c6a0f0d5b4b5e8f5d0c2f1a7e9b3d"


def complete(document: Json) -> Json:
    """The same document, with examples."""
    schemas = document["components"]["schemas"]
    document["paths"] |= doors.paths(document["paths"]["/api/v1/jobs"]["get"]["security"])
    download = document["paths"]["/api/v1/jobs/{job_id}/download"]["get"]["responses"][200]
    download["content"] = {form.content_type: {"schema": _file(name)} for name, form in FORMATS.items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            _complete_operation(operation, schemas)
    return document


def _file(name: str) -> Json:
    return {"type": "object" if name == "json" else "string", "examples": [FILES[name]]}


def _complete_operation(operation: Json, schemas: Json) -> None:
    for status, response in operation["responses"].items():
        if int(status) == 429:
            response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "example": 12}}
        for content in response.get("content", {}).values():
            content["example"] = _refusal(int(status)) if int(status) >= 400 else value_of(content["schema"], schemas)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = value_of(content["schema"], schemas)
    for parameter in operation.get("parameters", []):
        if "default" not in parameter["schema"]:
            parameter["example"] = value_of(parameter["schema"], schemas, parameter["name"])


def _refusal(status: int) -> Json:
    code, detail = EXAMPLES[status]
    return {"code": code, "detail": detail, "request_id": REQUEST_ID}
