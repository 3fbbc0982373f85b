"""The upload page's token: who gets one, and that it dies with its session."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.grants import BadToken
from accounts.models import Session, User
from accounts.tokens import verify
from transcribe.access import misshapen


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def minted(browser: Client) -> str:
    answer = browser.post("/token/")
    assert answer.status_code == 200
    return str(answer.json()["token"])


def test_a_session_gets_ten_minutes_for_uploads_and_a_look(browser: Client, alice: User) -> None:
    before = datetime.now(UTC)
    answer = browser.post("/token/")
    assert set(answer.json()) == {"token", "expires_at"}
    assert "no-store" in answer["Cache-Control"]
    end = datetime.fromisoformat(answer.json()["expires_at"])
    assert before + timedelta(minutes=9) < end <= datetime.now(UTC) + timedelta(minutes=10)
    bearer = verify(answer.json()["token"])
    assert bearer.user == alice
    assert bearer.scopes == {"uploads:write", "jobs:read"}


def test_the_key_of_the_session_is_not_in_it(browser: Client) -> None:
    import jwt

    token = minted(browser)
    key = browser.cookies["sessionid"].value
    assert key not in str(jwt.decode(token, options={"verify_signature": False}))


@pytest.mark.django_db
def test_without_a_session_there_is_none(client: Client) -> None:
    answer = client.post("/token/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert answer.json()["detail"]


def test_it_is_a_post_with_our_form_token(alice: User, browser: Client) -> None:
    assert browser.get("/token/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    refused = strict.post("/token/")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert not misshapen("/token/", refused.content)
    strict.get("/")
    ours = strict.cookies["csrftoken"].value
    assert strict.post("/token/", headers={"X-CSRFToken": ours}).status_code == 200
    assert strict.post("/token/", headers={"X-CSRFToken": ours, "Origin": "https://evil.example"}).status_code == 403


def disable(browser: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)


def change_password(browser: Client, alice: User) -> None:
    alice.set_password("alice has another long password")
    alice.save()


def sign_out(browser: Client, alice: User) -> None:
    browser.post("/sign-out/")


def run_out(browser: Client, alice: User) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def delete_person(browser: Client, alice: User) -> None:
    alice.delete()


@pytest.mark.parametrize("end", [disable, change_password, sign_out, run_out, delete_person])
def test_it_is_dead_at_once_when_the_session_is(browser: Client, alice: User, end: Any) -> None:
    token = minted(browser)
    verify(token)
    end(browser, alice)
    with pytest.raises(BadToken):
        verify(token)


def test_another_session_of_the_same_person_goes_on(browser: Client, alice: User) -> None:
    token = minted(browser)
    other = Client()
    other.force_login(alice)
    other.post("/sign-out/")
    assert verify(token).user == alice


def test_the_next_person_in_the_same_browser_does_not_revive_it(browser: Client, bob: User) -> None:
    token = minted(browser)
    browser.force_login(bob)
    with pytest.raises(BadToken):
        verify(token)
    assert verify(minted(browser)).user == bob


def test_signing_out_clears_what_the_browser_kept(browser: Client) -> None:
    assert browser.post("/sign-out/")["Clear-Site-Data"] == '"cache", "storage"'


def test_who_is_signed_out_is_told_in_their_language(client: Client) -> None:
    answer = client.post("/token/", headers={"accept-language": "de"})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert answer.json()["detail"] == "Sie sind abgemeldet. Melden Sie sich wieder an, um weiterzumachen."
