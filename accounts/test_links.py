"""Sign-in links: once, within a day, embedded mode only."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.links import LIFETIME, SignInTokens, sign_in_link, tokens
from accounts.models import User


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_it_signs_in_once(alice: User) -> None:
    link = sign_in_link(alice)
    first, second = Client(), Client()
    assert first.get(link)["Location"] == "/"
    assert first.session["_auth_user_id"] == str(alice.pk)
    answer = second.get(link, follow=True)
    assert "used already" in answer.content.decode()
    assert not signed_in(second)


def test_a_link_made_right_after_signing_in_works_once_too(alice: User, client: Client) -> None:
    """Within one second `last_login` differs only in its microseconds."""
    client.get(sign_in_link(alice))
    alice.refresh_from_db()
    link = sign_in_link(alice)
    first, second = Client(), Client()
    first.get(link)
    second.get(link)
    assert (signed_in(first), signed_in(second)) == (True, False)


@pytest.mark.parametrize(("age", "good"), [(LIFETIME - timedelta(minutes=1), True), (LIFETIME * 1.01, False)])
def test_it_lasts_a_day(alice: User, monkeypatch: pytest.MonkeyPatch, age: timedelta, good: bool) -> None:
    token = tokens.make_token(alice)
    now = datetime.now()
    monkeypatch.setattr(SignInTokens, "_now", lambda self: now + age)
    assert tokens.check_token(alice, token) is good


@pytest.mark.parametrize("broken", ["/sign-in/link/%00/x-y/", "/sign-in/link/MQ/-/", "/sign-in/link/!!/a-b/"])
def test_nonsense_leads_to_the_form(alice: User, client: Client, broken: str) -> None:
    assert client.get(broken)["Location"] == "/sign-in/"
    assert not signed_in(client)


def test_the_link_of_one_is_not_the_link_of_another(alice: User, bob: User, client: Client) -> None:
    his, hers = sign_in_link(bob).split("/"), sign_in_link(alice).split("/")
    client.get("/".join([*his[:4], *hers[4:]]))
    assert not signed_in(client)


def test_a_password_reset_token_is_no_sign_in_link(alice: User, client: Client) -> None:
    from django.contrib.auth.tokens import default_token_generator

    parts = sign_in_link(alice).split("/")
    client.get("/".join([*parts[:4], default_token_generator.make_token(alice), ""]))
    assert not signed_in(client)


def test_someone_switched_off_stays_out(alice: User, client: Client) -> None:
    link = sign_in_link(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    client.get(link)
    assert not signed_in(client)


def test_there_are_none_in_production(alice: User, client: Client, settings: Any) -> None:
    link = sign_in_link(alice)
    settings.EMBEDDED = False
    assert client.get(link).status_code == 404
    assert not signed_in(client)


def test_it_is_not_posted(alice: User, client: Client) -> None:
    assert client.post(sign_in_link(alice)).status_code == 405
