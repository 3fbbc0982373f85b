"""The OpenAPI document, completed: an example for every call and every refusal."""

from typing import Any

from jobs.api import doors
from jobs.api.problems import EXAMPLES
from jobs.exports import FORMATS

type Json = dict[str, Any]

ABOUT = """Upload recordings, follow their transcription, download the text.

Send `Authorization: Bearer <token>` with a personal token from your account page. What is not yours is not there: 404.
Every refusal is `{"code", "detail", "request_id"}`; 429 carries `Retry-After` in seconds.
Resumable uploads speak tus 1.0.0 at `/api/v1/uploads/`; `docs/api.md` shows both ways with curl."""
REQUEST_ID = "5f0c6a0f0d5b4b5e8f5d0c2f1a7e9b3d"
PLAIN: Json = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
KINDS = {
    "uuid": "0195c0de-7a51-7c3e-9d4b-2f0e6a1b8c9d",
    "date-time": "2026-03-02T09:30:00+00:00",
}


def complete(document: Json) -> Json:
    """The same document, with examples."""
    schemas = document["components"]["schemas"]
    document["paths"] |= doors.paths(document["paths"]["/api/v1/jobs"]["get"]["security"])
    download = document["paths"]["/api/v1/jobs/{job_id}/download"]["get"]["responses"][200]
    kinds = {form.content_type: "object" if name == "json" else "string" for name, form in FORMATS.items()}
    download["content"] = {content_type: {"schema": {"type": kind}} for content_type, kind in kinds.items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            _complete_operation(operation, schemas)
    return document


def value_of(schema: Json, schemas: Json) -> Any:
    """One value that fits a JSON schema, put together from the examples of its parts."""
    if "$ref" in schema:
        return value_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "anyOf" in schema:
        return value_of(schema["anyOf"][0], schemas)
    kind = schema.get("type")
    if kind == "object":
        return {name: value_of(one, schemas) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [value_of(schema["items"], schemas)]
    return KINDS.get(schema.get("format", ""), PLAIN.get(str(kind)))


def _complete_operation(operation: Json, schemas: Json) -> None:
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            content["example"] = _refusal(int(status)) if int(status) >= 400 else value_of(content["schema"], schemas)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = value_of(content["schema"], schemas)


def _refusal(status: int) -> Json:
    code, detail = EXAMPLES[status]
    return {"code": code, "detail": detail, "request_id": REQUEST_ID}
