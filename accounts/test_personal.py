"""Personal tokens: made, used, revoked, by page and by command, and shown once."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import personal
from accounts.grants import BadToken, Grant
from accounts.models import PersonalToken, User
from accounts.tokens import verify

FORM = {"name": "Nightly backup", "scopes": ["jobs:read", "uploads:write"], "days": "30"}
READ = frozenset({Grant.JOBS_READ})


def shown(page: bytes) -> str:
    found = re.search(r'class="secret[^>]*>([^<]+)<', page.decode())
    return found[1] if found else ""


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def test_a_token_is_made_and_shown_once(browser: Client, alice: User) -> None:
    answer = browser.post("/account/", FORM)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    token = shown(answer.content)
    user, scopes = verify(token)
    assert user == alice
    assert scopes == {"jobs:read", "uploads:write"}
    later = browser.get("/account/").content
    assert b"Nightly backup" in later
    assert token.encode() not in later
    row = PersonalToken.objects.get()
    assert timedelta(days=29) < row.expires_at - timezone.now() <= timedelta(days=30)
    stored = {str(value) for value in PersonalToken.objects.values_list()[0]}
    assert not any(part in value for part in token.split(".") for value in stored)


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 101}, {"scopes": []}, {"scopes": ["admin"]}, {"days": "3650"}, {"days": ""}]
)
def test_what_no_token_can_be_is_refused_on_the_page(browser: Client, wrong: dict[str, Any]) -> None:
    answer = browser.post("/account/", FORM | wrong)
    assert answer.status_code == 400
    assert shown(answer.content) == ""
    assert not PersonalToken.objects.exists()


def test_only_so_many_at_once(browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "AT_ONCE", 1)
    row, _token = personal.make(alice, "first", READ, 1)
    assert b"too many tokens" in browser.post("/account/", FORM).content
    personal.revoke(row)
    assert shown(browser.post("/account/", FORM).content)


def test_a_revoked_token_is_dead_and_revoking_again_changes_nothing(browser: Client, alice: User) -> None:
    row, token = personal.make(alice, "script", READ, 1)
    verify(token)
    path = f"/account/tokens/{row.pk}/revoke/"
    assert browser.get(path).status_code == 405
    assert browser.post(path).status_code == 302
    first = PersonalToken.objects.get().revoked_at
    with pytest.raises(BadToken):
        verify(token)
    assert browser.post(path).status_code == 302
    assert PersonalToken.objects.get().revoked_at == first
    assert b"revoked" in browser.get("/account/").content


def test_the_tokens_of_others_are_not_there(browser: Client, bob: User) -> None:
    row, token = personal.make(bob, "secret plan", READ, 1)
    assert b"secret plan" not in browser.get("/account/").content
    assert browser.post(f"/account/tokens/{row.pk}/revoke/").status_code == 404
    assert verify(token).user == bob


def test_nobody_gets_in_without_a_session(client: Client, db: None) -> None:
    for path in ("/account/", "/account/tokens/1/revoke/", "/account/sessions/end-others/"):
        assert client.post(path)["Location"].startswith("/sign-in/")


def test_it_ends_with_its_row_and_with_its_owner(alice: User) -> None:
    row, token = personal.make(alice, "script", READ, 1)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(BadToken):
        verify(token)
    User.objects.filter(pk=alice.pk).update(is_active=True)
    verify(token)
    PersonalToken.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    with pytest.raises(BadToken):
        verify(token)
    row.delete()
    with pytest.raises(BadToken):
        verify(token)


def test_use_is_noted_once_a_minute(alice: User, django_assert_num_queries: Any) -> None:
    row, token = personal.make(alice, "script", READ, 1)
    with django_assert_num_queries(2 + 3):  # and once an hour the audit log, in a transaction
        verify(token)
    with django_assert_num_queries(1):
        verify(token)
    long_ago = timezone.now() - timedelta(minutes=2)
    PersonalToken.objects.update(last_used_at=long_ago)
    verify(token)
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_at > long_ago


def test_the_administration_shows_rows_and_no_secret(client: Client, alice: User, charlie: User) -> None:
    row, token = personal.make(alice, "script", READ, 1)
    client.force_login(charlie)
    page = client.get(f"/admin/accounts/personaltoken/{row.pk}/change/")
    assert page.status_code == 200
    assert row.jti_sha256 not in page.content.decode()
    assert token not in page.content.decode()
    assert client.post(f"/admin/accounts/personaltoken/{row.pk}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"/admin/accounts/personaltoken/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/accounts/personaltoken/add/").status_code == 403
    assert b"script" in client.get("/admin/accounts/personaltoken/").content


def command(*words: str) -> str:
    out = StringIO()
    call_command("token", *words, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_the_command_makes_lists_and_revokes(alice: User) -> None:
    token = command("make", "alice", "--name", "cron", "--scope", "jobs:read", "--scope", "jobs:write", "--days", "3")
    assert verify(token).scopes == {"jobs:read", "jobs:write"}
    listed = command("list", "alice")
    assert "cron" in listed
    assert token not in listed
    command("revoke", listed.split("\t")[0])
    with pytest.raises(BadToken):
        verify(token)
    assert "revoked" in command("list", "alice")


@pytest.mark.parametrize(
    "words",
    [
        ("make", "nobody", "--name", "x", "--scope", "jobs:read"),
        ("make", "alice", "--name", "x", "--scope", "jobs:read", "--days", "0"),
        ("make", "alice", "--name", "x", "--scope", "admin"),
        ("list", "nobody"),
        ("revoke", "999"),
    ],
)
def test_the_command_says_what_is_wrong(alice: User, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        command(*words)
