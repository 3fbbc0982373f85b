"""How sessions of a provider are confirmed, and how they end: here, there, and behind everybody's back."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.test import Client
from django.utils import timezone

from accounts.conftest import Person
from accounts.models import Session, User
from accounts.oidc_views import GOOD_UNTIL
from accounts.provider_tokens import LOGOUT_EVENT
from accounts.testing.lying import CLIENT_ID, CLIENT_SECRET, KEY, OTHER_KEY, Liar, told

PAGE = {"Sec-Fetch-Dest": "document", "Accept": "text/html"}


def store(person: Person, **data: Any) -> None:
    session: SessionBase = person.client.session
    session.update(data)
    session.save()


@pytest.fixture
def old(person: Person) -> Person:
    """Signed in, and due to be confirmed."""
    person.sign_in()
    store(person, **{GOOD_UNTIL: time.time() - 1})
    return person


def opened(person: Person, path: str = "/upload?x=1", **headers: str) -> Any:
    return person.client.get(path, headers={**PAGE, **headers})


def sent_on(person: Person, answer: Any) -> dict[str, str]:
    """Remembered by the provider, as the browser brings it there."""
    assert answer.status_code == 302
    assert answer["Location"].startswith(person.liar.issuer)
    person.liar.asked = {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}
    return person.liar.asked


def test_a_page_opened_later_goes_through_the_provider_and_on(old: Person) -> None:
    key, token = old.client.cookies["sessionid"].value, old.client.session.get("_csrftoken")
    asked = sent_on(old, opened(old))
    assert asked["prompt"] == "none"
    assert old.back()["Location"] == "/upload?x=1"
    assert opened(old).status_code == 200
    assert old.client.cookies["sessionid"].value == key  # open sockets, forms and uploads go on
    assert old.client.session.get("_csrftoken") == token


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("get", {"HX-Request": "true"}),
        ("get", {"Sec-Fetch-Dest": "empty"}),
        ("get", {"Sec-Fetch-Dest": "audio"}),
        ("get", {"Sec-Fetch-Dest": "", "Accept": "application/json"}),
        ("post", {}),
        ("head", {}),
    ],
)
def test_what_is_not_a_page_goes_on_with_the_session(old: Person, method: str, headers: dict[str, str]) -> None:
    answer = getattr(old.client, method)("/account/", headers={**PAGE, **headers})
    assert answer.status_code in (200, 400)


def test_local_sessions_are_left_alone(liar: Liar, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get("/account/", headers=PAGE).status_code == 200


def test_somebody_who_left_the_provider_must_sign_in_again(old: Person) -> None:
    asked = sent_on(old, opened(old))
    answer = old.client.get("/oidc/callback/", {"error": "login_required", "state": asked["state"]})
    assert answer["Location"] == "/sign-in/?next=%2Fupload%3Fx%3D1"
    assert not old.signed_in


def test_a_provider_that_cannot_tell_right_now_costs_nobody_the_session(old: Person, liar: Liar) -> None:
    asked = sent_on(old, opened(old))
    answer = old.client.get("/oidc/callback/", {"error": "temporarily_unavailable", "state": asked["state"]})
    assert answer["Location"] == "/upload?x=1"
    assert old.signed_in
    assert opened(old).status_code == 200


def test_a_provider_that_is_down_costs_nobody_the_session(old: Person, settings: Any) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:1/"
    assert opened(old).status_code == 200
    assert old.client.session[GOOD_UNTIL] > time.time()


def test_a_refresh_never_changes_who_one_is(old: Person, liar: Liar) -> None:
    sent_on(old, opened(old))
    liar.person = {"sub": "bob-2", "preferred_username": "bob"}
    answer = old.back()
    assert answer.status_code == 403
    assert "somebody else" in answer.content.decode()
    assert not old.signed_in


def test_signing_out_ends_the_session_there_too(person: Person, liar: Liar) -> None:
    person.sign_in()
    answer = person.client.post("/sign-out/")
    where = urlsplit(answer["Location"])
    told_there = {name: values[0] for name, values in parse_qs(where.query).items()}
    assert answer["Location"].startswith(f"{liar.issuer}end-session?")
    assert told_there["post_logout_redirect_uri"] == "http://testserver/"
    assert jwt.decode(told_there["id_token_hint"], options={"verify_signature": False})["sub"] == "anna-1"
    assert told_there["client_id"] == CLIENT_ID
    assert answer["Clear-Site-Data"] == '"cache", "storage"'
    assert not Session.objects.filter(user__subject="anna-1").exists()


def test_a_provider_without_such_an_end_or_without_a_voice(person: Person, liar: Liar, settings: Any) -> None:
    liar.lies["discovery"] = told(liar.discovered(end_session_endpoint=None))
    person.sign_in()
    assert person.client.post("/sign-out/")["Location"] == "/"
    settings.OIDC_ISSUER = "http://127.0.0.1:1/"
    store(person)
    assert person.client.post("/sign-out/")["Location"] == "/"


def logout_token(liar: Liar, key: Any = KEY, algorithm: str = "RS256", typ: str = "logout+jwt", **claims: Any) -> str:
    now = int(time.time())
    honest = {"iss": liar.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "jti": "x", "sid": "session-1"}
    told = {**honest, "sub": "anna-1", "events": {LOGOUT_EVENT: {}}, **claims}
    told = {name: value for name, value in told.items() if value is not None}
    return jwt.encode(told, key, algorithm, headers={"kid": "one", "typ": typ})


def sent(token: str) -> int:
    return Client(enforce_csrf_checks=True).post("/oidc/backchannel-logout/", {"logout_token": token}).status_code


@pytest.mark.parametrize("claims", [{}, {"sub": None}, {"sid": None}])
def test_the_provider_ends_sessions(person: Person, liar: Liar, claims: dict[str, Any]) -> None:
    person.sign_in()
    token = person.client.post("/token/").json()["token"]
    assert sent(logout_token(liar, **claims)) == 200
    assert not person.signed_in
    from accounts.grants import BadToken
    from accounts.tokens import verify

    with pytest.raises(BadToken):
        verify(token)
    assert sent(logout_token(liar, **claims)) == 200  # again is no error


@pytest.mark.parametrize("claims", [{"sid": "another"}, {"sub": "bob-2"}, {"sub": None, "sid": "another"}])
def test_sessions_it_does_not_name_go_on(person: Person, liar: Liar, claims: dict[str, Any]) -> None:
    person.sign_in()
    assert sent(logout_token(liar, **claims)) == 200
    assert person.signed_in


def test_a_late_logout_does_not_end_a_later_session(person: Person, liar: Liar, alice: User) -> None:
    token = logout_token(liar, iat=int(time.time()) - 30)
    person.sign_in()
    assert sent(token) == 200
    assert person.signed_in
    assert Session.objects.filter(signed_in_at__gt=timezone.now() - timedelta(minutes=1)).exists()


Forge = Callable[[Liar], str]


@pytest.mark.parametrize(
    "forge",
    [
        lambda _liar: "",
        lambda _liar: "a.b.c",
        lambda liar: logout_token(liar, OTHER_KEY),
        lambda liar: logout_token(liar, CLIENT_SECRET * 2, "HS256"),
        lambda liar: logout_token(liar, typ="JWT"),
        lambda liar: str(liar.id_token()),
        lambda liar: logout_token(liar, nonce="x"),
        lambda liar: logout_token(liar, events=None),
        lambda liar: logout_token(liar, events={LOGOUT_EVENT: None}),
        lambda liar: logout_token(liar, events=[LOGOUT_EVENT]),
        lambda liar: logout_token(liar, aud="another"),
        lambda liar: logout_token(liar, iss="https://another.example/"),
        lambda liar: logout_token(liar, exp=1),
        lambda liar: logout_token(liar, jti=None),
        lambda liar: logout_token(liar, sub=None, sid=None),
        lambda liar: logout_token(liar, iat=1e300),
        lambda liar: logout_token(liar, sub=7),
    ],
)
def test_forged_logouts(person: Person, liar: Liar, forge: Forge) -> None:
    person.sign_in()
    assert sent(forge(liar)) == 400
    assert person.signed_in


def test_a_logout_token_does_not_sign_anybody_in(person: Person, liar: Liar) -> None:
    liar.sign = lambda claims, _headers: logout_token(liar, nonce=claims["nonce"])
    assert person.sign_in().status_code == 502
    assert not person.signed_in
