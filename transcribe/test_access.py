"""Who gets what at every route of the URL conf and of the API's document. A route without a row here fails."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.signals import request_finished
from django.db import close_old_connections, transaction
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from accounts import personal
from accounts.grants import Grant
from accounts.models import PersonalToken, Session, User
from accounts.sessions import digest
from jobs.models import Checkpoint, Job, Run, RunEvent, Upload, Worker
from jobs.samples import SAMPLES
from jobs.speaking import speak
from transcribe.access import PEOPLE, SHAPED, Row, address, cell, misshapen, routes, table
from transcribe.access_tables import FOR_BROWSERS, FOR_SCRIPTS, MODELS
from transcribe.test_access_doors import DOORS

SECRET = "plan of the revolution"  # what the owner's recording is called and says
SESSION_ROWS, TOKEN_ROWS = table(FOR_BROWSERS, MODELS), table(FOR_SCRIPTS, MODELS)


@pytest.fixture
def job(alice: User, make_job: Callable[..., Job]) -> Job:
    """The owner's recording, with one row of every kind in the administration."""
    made = make_job(alice, title=f"{SECRET}.mp3", state="succeeded")
    run = Run.objects.get(job=made)
    speak(run, [SECRET])
    RunEvent.objects.create(run=run, state="succeeded")
    now = timezone.now()
    Worker.objects.create(host="h", pid=1, model="demo", device="cpu", slots=1, seen_at=now)
    Checkpoint.objects.create(name="demo", sha256="0" * 64)
    Upload.objects.create(owner=alice, title=SECRET, expires_at=now, length=1)
    apps.get_model("auth", "Group").objects.create(name="a group")
    return made


@pytest.fixture
def people(alice: User, bob: User, charlie: User, job: Job) -> dict[str, User]:
    staff = User.objects.create_user("dora", password="dora has a long password", is_staff=True)
    return {"stranger": bob, "owner": alice, "disabled": alice, "staff": staff, "superuser": charlie}


@pytest.fixture
def sessions(people: dict[str, User]) -> dict[str, dict[str, str]]:
    """Headers of each person's browser."""
    return {name: {"cookie": _session(user)} for name, user in people.items()} | {"anonymous": {}}


@pytest.fixture
def tokens(people: dict[str, User], sessions: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Headers of each person's script; `session` is the owner's browser at an address that is for scripts."""
    made = {name: personal.make(user, "script", frozenset(Grant), 1)[1] for name, user in people.items()}
    found = {name: {"authorization": f"Bearer {token}"} for name, token in made.items()}
    return found | {"anonymous": {}, "session": sessions["owner"]}


@pytest.fixture
def values(job: Job, people: dict[str, User]) -> dict[str, Any]:
    """What the routes name: all of it the owner's."""
    token, _raw = personal.make(people["owner"], "backup", frozenset(Grant), 1)
    other = _session(people["owner"])
    return {
        "job_id": job.pk,
        "run_id": job.current_run_id,
        "file": job.path,
        "session": digest(other.removeprefix("sessionid=")),
        "format_name": "txt",
        "pk": token.pk,
        "uid": "x",
        "token": "x",
        "number": 1,
        "id": people["owner"].pk,
        "app_label": "jobs",
        "content_type_id": ContentType.objects.get_for_model(Job).pk,
        "url": "nothing/",
    }


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def filled(route: str, values: dict[str, Any]) -> str:
    """With the row of the model, the sample or the session that this route is about."""
    found = dict(values)
    if model := re.match(r"admin/(\w+)/(\w+)/<path", route):
        row = apps.get_model(model[1], model[2])._default_manager.order_by("pk").first()
        assert row is not None, f"No {model[2]} is there to ask for."
        found["object_id"] = row.pk
    found.setdefault("object_id", values["job_id"])
    named = {"samples": next(iter(SAMPLES)), "account": values["session"], "v1": "demo"}
    found["name"] = named.get(route.partition("/")[0], "")
    query = f"?run={values['run_id']}" if route == "jobs/<uuid:job_id>/transcript/" else ""
    return address(route, found) + query


def ask(row: Row, who: str, values: dict[str, Any], headers: dict[str, str]) -> str:
    """The cell, from a request that leaves nothing behind. Whoever is not the owner changes and learns nothing."""
    path = filled(row.route, values)
    cache.clear()
    values["file"].parent.mkdir(parents=True, exist_ok=True)  # files know no transaction: the owner may have deleted it
    values["file"].write_bytes(b"recording")
    with transaction.atomic():
        if who == "disabled":
            User.objects.filter(pk=values["id"]).update(is_active=False)
        before = _owned(values) if row.method != "GET" else []
        answer: Any = Client(headers=headers).generic(row.method, path)
        body = b"" if answer.streaming else answer.content
        if answer.streaming:
            _close(answer)
        if who != "owner" and not (who == "superuser" and path.startswith("/admin/")):
            assert row.method == "GET" or _owned(values) == before, (path, who)
            assert SECRET.encode() not in body, (path, who)
            assert not answer.streaming
        if who != "anonymous" and "text/html" in answer.get("Content-Type", ""):
            assert "no-store" in answer["Cache-Control"], path  # nothing for the back button
            assert "unsafe" not in answer["Content-Security-Policy"], path
        if answer.status_code >= 400 and path.startswith(SHAPED):
            assert not misshapen(path, body)
        transaction.set_rollback(True)
    return cell(answer.status_code, answer.get("Location", ""))


def _close(answer: Any) -> None:
    """The end of an answer would end this test's database connection too."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


def _owned(values: dict[str, Any]) -> list[Any]:
    """What others must leave as it is."""
    owner, session = values["id"], values["session"]
    found = [
        Job.objects.filter(owner=owner).values_list("pk", "title", "current_run", "protected"),
        Run.objects.filter(job__owner=owner).values_list("pk", "state"),
        Upload.objects.filter(owner=owner).values_list("pk"),
        PersonalToken.objects.filter(owner=owner).values_list("pk", "revoked_at"),
        User.objects.filter(pk=owner).values_list("password", "is_staff"),
        Session.objects.filter(digest=session).values_list("digest"),
    ]
    return [sorted(rows, key=str) for rows in found]


def deviations(rows: list[Row], columns: tuple[str, ...], values: dict[str, Any], headers: dict[str, Any]) -> list[str]:
    found = []
    for row in rows:
        assert len(row.cells) == len(columns), row
        for who, wanted in zip(columns, row.cells, strict=True):
            got = ask(row, who, values, headers[who])
            if got != wanted:
                found.append(f"{row.method} {row.route} {who}: {got}, not {wanted}")
    return found


def test_every_cell_by_session(values: dict[str, Any], sessions: dict[str, dict[str, str]]) -> None:
    assert deviations(SESSION_ROWS, PEOPLE, values, sessions) == []


def test_every_cell_by_token(values: dict[str, Any], tokens: dict[str, dict[str, str]]) -> None:
    assert deviations(TOKEN_ROWS, (*PEOPLE, "session"), values, tokens) == []


def test_every_route_has_its_rows() -> None:
    known = set(routes(get_resolver().url_patterns))
    stated = {(row.route, row.method) for row in [*SESSION_ROWS, *TOKEN_ROWS]}
    wanted = {(route, method) for route in known for method in ("GET", "POST")}
    assert sorted(wanted - stated) == []
    assert sorted({route for route, _ in stated} - known) == []


def test_every_call_of_the_document_has_its_row(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    wanted = {(path, method.upper()) for path, calls in document["paths"].items() for method in calls}
    stated = {(_as_document(row.route), row.method) for row in TOKEN_ROWS} | {(d.path, d.method) for d in DOORS}
    assert sorted(wanted - stated) == []


def _as_document(route: str) -> str:
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
