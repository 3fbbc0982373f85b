"""Every call of the document shows what it takes, answers and refuses with, and the examples are true."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
from django.test import Client

from jobs.api.documents import complete
from jobs.api.examples import value_of

type Json = dict[str, Any]


class Call(NamedTuple):
    method: str
    path: str
    operation: Json


@pytest.fixture
def document(client: Client) -> Json:
    found: Json = client.get("/api/v1/openapi.json").json()
    return found


def calls(document: Json) -> Iterator[Call]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield Call(method, path, operation)


def shown(call: Call) -> Iterator[tuple[str, Json]]:
    """Whatever must have an example: where it is, and what is there."""
    for parameter in call.operation.get("parameters", []):
        if "default" not in parameter["schema"]:
            yield parameter["name"], parameter
    for kind, content in call.operation.get("requestBody", {}).get("content", {}).items():
        yield kind, content
    for status, response in call.operation["responses"].items():
        for kind, content in {**response.get("content", {}), **response.get("headers", {})}.items():
            yield f"{status} {kind}", content


def test_every_call_shows_all_it_takes_and_answers(document: Json) -> None:
    found = list(calls(document))
    assert len(found) >= 19
    for call in found:
        assert call.operation["summary"], call
        assert call.operation["description"], call
        for where, content in shown(call):
            assert "example" in content, (call.path, call.method, where)


def test_every_example_fits_its_schema(document: Json) -> None:
    for call in calls(document):
        for where, content in shown(call):
            if content["schema"].get("format") != "binary":
                whole = {**content["schema"], "components": document["components"]}
                wrong = [error.message for error in jsonschema_rs.iter_errors(whole, content["example"])]
                assert wrong == [], (call.path, call.method, where)


def test_every_refusal_is_shown_and_says_the_code_that_goes_with_it(document: Json) -> None:
    for call in calls(document):
        refusals = {int(status): said for status, said in call.operation["responses"].items() if int(status) >= 400}
        assert {401, 403, 503} <= set(refusals), call.path
        for status, said in refusals.items():
            assert said["description"], (call.path, status)
            if call.method != "head":  # its answers have no body
                example = said["content"]["application/json"]["example"]
                assert set(example) == {"code", "detail", "request_id"}, (call.path, status)
                assert all(example.values()), (call.path, status)
            assert status != 429 or "Retry-After" in said["headers"], call.path


def test_a_call_without_an_example_stops_the_document(document: Json) -> None:
    """Whoever adds a field is told, by every test that asks for the document."""
    new = {"responses": {200: {"content": {"application/json": {"schema": {"type": "string"}}}}}}
    document["paths"]["/api/v1/new"] = {"get": new}
    for call in calls(document):
        call.operation["responses"] = {int(status): said for status, said in call.operation["responses"].items()}
    with pytest.raises(LookupError, match="has no example"):
        complete(document)


def test_values_are_put_together_from_their_parts() -> None:
    schemas = {"Inner": {"type": "object", "properties": {"title": {"type": "string"}, "count": {"type": "integer"}}}}
    whole = {"type": "array", "items": {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}]}}
    assert value_of(whole, schemas) == [{"title": "interview.mp3", "count": 1}]
