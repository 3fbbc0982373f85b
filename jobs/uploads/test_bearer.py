"""The upload doors over a real server, opened by a bearer token instead of a session."""

import pytest
from django.test import Client

from accounts.grants import Grant
from accounts.models import PersonalToken, User
from accounts.personal import make, revoke
from jobs.models import Job
from transcribe.resuming import BASE, CONTENT, Tus, metadata, the_one_job
from transcribe.serving import Answer, Server

pytestmark = pytest.mark.django_db(transaction=True)


def made(owner: User, *scopes: Grant) -> tuple[PersonalToken, dict[str, str]]:
    row, raw = make(owner, "script", frozenset(scopes), 1)
    return row, bearing(raw)


def bearing(raw: str) -> dict[str, str]:
    """No cookie and no form token: another site cannot make a browser add such a header, so neither is asked for."""
    return {"Cookie": "", "X-CSRFToken": "", "Authorization": f"Bearer {raw}"}


def create(tus: Tus, headers: dict[str, str]) -> Answer:
    return tus.ask("POST", BASE, {"Upload-Length": str(len(CONTENT)), **headers})


def test_a_script_uploads_with_its_token(tus: Tus, bob: User) -> None:
    row, headers = made(bob, Grant.UPLOADS_WRITE)
    path = create(tus, {"Upload-Metadata": metadata(filename="talk.mp3"), **headers}).headers["location"]
    assert tus.patch(path, 0, CONTENT, headers).status == 204
    assert the_one_job(tus).owner == bob
    row.refresh_from_db()
    assert row.last_used_at is not None
    answer = tus.browser.upload_file(b"recording", headers=headers)
    assert answer.status == 201
    assert Job.objects.filter(owner=bob).count() == 2


def test_the_upload_page_uploads_with_the_island_token(tus: Tus, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    headers = bearing(client.post("/token/").json()["token"])
    path = create(tus, headers).headers["location"]
    client.post("/sign-out/")
    late = tus.patch(path, 0, CONTENT, headers)
    assert (late.status, late.content["code"], late.headers["www-authenticate"]) == (401, "bad_token", "Bearer")
    assert tus.offset(path) == 0  # what was begun waits for its owner


def test_the_uploads_of_others_are_not_there(tus: Tus, alice: User, bob: User) -> None:
    path = tus.create(10)
    headers = made(bob, *Grant)[1]
    assert tus.ask("HEAD", path, headers).status == 404
    assert tus.patch(path, 0, b"x", headers).status == 404
    assert tus.ask("DELETE", path, headers).status == 404
    assert tus.ask("GET", BASE, headers).body == b"[]"


def test_a_token_for_something_else_is_told_so(tus: Tus, server: Server, alice: User) -> None:
    headers = made(alice, Grant.JOBS_READ, Grant.JOBS_WRITE)[1]
    for answer in (create(tus, headers), tus.browser.upload_file(b"recording", headers=headers)):
        assert (answer.status, answer.content["code"]) == (403, "scope_missing")
        assert "uploads:write" in answer.content["detail"]
    assert server.files() == []


def test_a_refusal_speaks_the_language_of_its_reader(tus: Tus, alice: User) -> None:
    german = {"Accept-Language": "de"}
    narrow = create(tus, made(alice, Grant.JOBS_READ)[1] | german).content
    assert (narrow["code"], narrow["detail"][:38]) == ("scope_missing", "Dieses Zugriffstoken hat das Recht upl")
    forged = create(tus, bearing("x.y.z") | german).content
    assert (forged["code"], forged["detail"][:42]) == ("bad_token", "Dieses Zugriffstoken ist nicht gültig. Mel")


def test_a_revoked_token_and_a_disabled_owner_are_refused(tus: Tus, alice: User, bob: User) -> None:
    row, revoked = made(alice, Grant.UPLOADS_WRITE)
    _row, disabled = made(bob, Grant.UPLOADS_WRITE)
    revoke(row)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    for headers in (revoked, disabled, {**revoked, "Authorization": "Basic YTpi"}):
        answer = create(tus, headers)
        assert (answer.status, answer.content["code"]) == (401, "bad_token")
        assert answer.content["detail"].endswith(".")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_bad_token_is_not_saved_by_a_good_session(tus: Tus) -> None:
    answer = create(tus, {"Authorization": "Bearer x.y.z"})
    assert (answer.status, answer.content["code"]) == (401, "bad_token")
