"""A provider that lies, fails or hangs: no login, no 500, a page that says why not."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from accounts import provider
from accounts.conftest import Person
from accounts.models import User
from accounts.testing.lying import CLIENT_ID, CLIENT_SECRET, DRIP, HANG, KEY, OTHER_KEY, Liar, public, told

Lie = Callable[[Liar], Any]
PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
HUGE = b'{"x": "' + b"x" * (2 << 20) + b'"}'


def refused(person: Person, answer: Any) -> None:
    """The page, and nothing else happened."""
    assert answer.status_code in (400, 403, 502), answer.content
    page = answer.content.decode()
    assert "You are not signed in" in page
    assert "/oidc/start/" in page
    assert not person.signed_in
    assert not User.objects.exclude(subject="").exists()


def test_an_honest_one_signs_in(person: Person) -> None:
    answer = person.sign_in()
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert person.signed_in


@pytest.mark.parametrize(
    "lie",
    [
        lambda liar: told(liar.discovered(issuer="https://another.example/")),
        lambda liar: told(liar.discovered(issuer=liar.issuer.rstrip("/"))),
        lambda liar: told(liar.discovered(authorization_endpoint=None)),
        lambda liar: told(liar.discovered(token_endpoint="/token")),
        lambda liar: told(liar.discovered(token_endpoint="file:///etc/passwd")),
        lambda liar: told(liar.discovered(authorization_endpoint="javascript:alert(1)")),
        lambda liar: told(liar.discovered(authorization_endpoint="http://x/\r\nSet-Cookie: a=b")),
        lambda liar: told(liar.discovered(jwks_uri=["x"])),
        lambda liar: told(liar.discovered(jwks_uri="http://[::1")),
        lambda _liar: told([]),
        lambda _liar: told(b"<html>"),
        lambda _liar: told(b"\xff\xfe"),
        lambda _liar: told(b"[" * 100_000),
        lambda _liar: told(HUGE),
        lambda liar: told(liar.discovered(), 500),
        lambda liar: told(liar.discovered(), 302, Location=f"{liar.issuer}elsewhere"),
        lambda _liar: HANG,
        lambda _liar: DRIP,
    ],
)
def test_discovery(person: Person, liar: Liar, lie: Lie, monkeypatch: pytest.MonkeyPatch) -> None:
    liar.lies["discovery"] = lie(liar)
    if liar.lies["discovery"] in (HANG, DRIP):
        monkeypatch.setattr(provider, "SECONDS", 0.5)
    before = time.monotonic()
    answer = person.client.get("/oidc/start/")
    assert time.monotonic() - before < 6
    refused(person, answer)
    assert "elsewhere" not in liar.seen


@pytest.mark.parametrize("where", ["token", "jwks", "userinfo"])
@pytest.mark.parametrize(
    "lie",
    [
        lambda _liar, _honest: told({"error": "invalid_grant"}, 400),
        lambda _liar, honest: (500, *honest[1:]),
        lambda _liar, honest: (201, *honest[1:]),
        lambda liar, honest: (307, {**honest[1], "Location": f"{liar.issuer}elsewhere"}, honest[2]),
        lambda _liar, _honest: told(b""),
        lambda _liar, _honest: told(b"<html>"),
        lambda _liar, _honest: told([]),
        lambda _liar, _honest: told({}),
        lambda _liar, _honest: told(HUGE),
        lambda _liar, honest: (200, {**honest[1], "Content-Encoding": "gzip"}, b"\x1f\x8b nothing of the kind"),
        lambda _liar, _honest: HANG,
        lambda _liar, _honest: DRIP,
    ],
)
def test_endpoints(
    person: Person, liar: Liar, where: str, lie: Callable[[Liar, Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    person.start()
    liar.lies[where] = lie(liar, told({"keys": [public()]}) if where == "jwks" else told(liar.person))
    if liar.lies[where] in (HANG, DRIP):
        monkeypatch.setattr(provider, "SECONDS", 0.5)
    before = time.monotonic()
    answer = person.back()
    assert time.monotonic() - before < 6
    refused(person, answer)
    assert "elsewhere" not in liar.seen


@pytest.mark.parametrize(
    "answer",
    [
        {"id_token": None},
        {"id_token": 1},
        {"id_token": ""},
        {"id_token": "a.b.c"},
        {"id_token": ["x"]},
        {"id_token": "x" * 100_000},
        {"access_token": None},
        {"access_token": {"x": 1}},
        {"access_token": "é\r\nX: y"},
    ],
)
def test_token_answers(person: Person, liar: Liar, answer: dict[str, Any]) -> None:
    person.start()
    liar.lies["token"] = told({"access_token": "opaque", "id_token": liar.id_token(), **answer})
    refused(person, person.back())


NOW = int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.example/"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": ["another"], "azp": CLIENT_ID},
        {"azp": "another"},
        {"azp": ["x"]},
        {"exp": NOW - 3600},
        {"exp": None},
        {"exp": "never"},
        {"exp": 1e400},
        {"iat": NOW + 3600},
        {"iat": None},
        {"iat": "today"},
        {"nbf": NOW + 3600},
        {"nonce": None},
        {"nonce": ""},
        {"nonce": "another"},
        {"nonce": ["x"]},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
        {"sub": "\ud800"},
        {"sub": "bob-2"},  # while userinfo speaks of anna
        {"at_hash": "of another token"},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
    ],
)
def test_claims(person: Person, liar: Liar, claims: dict[str, Any]) -> None:
    liar.claims = claims
    refused(person, person.sign_in())


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": "unknown"},
        {"kid": "../one"},
        {"typ": "logout+jwt"},
        {"typ": "at+jwt"},
        {"crit": ["exp"]},
        {"kid": "unknown", "jku": "http://127.0.0.1:9/keys"},
        {"kid": "unknown", "jwk": public(OTHER_KEY)},
    ],
)
def test_headers(person: Person, liar: Liar, headers: dict[str, Any]) -> None:
    liar.headers = headers
    refused(person, person.sign_in())


def by(key: Any, algorithm: str) -> Callable[[dict[str, Any], dict[str, Any]], object]:
    return lambda claims, headers: jwt.encode(claims, key, algorithm, headers=headers)


def unsigned(claims: dict[str, Any], headers: dict[str, Any]) -> str:
    return jwt.encode(claims, "", "none", headers=headers)


def with_the_public_key(claims: dict[str, Any], headers: dict[str, Any]) -> str:
    """PyJWT refuses to make it: by hand."""
    from accounts.test_tokens import forged

    return forged(jwt.encode(claims, "x" * 32, "HS256", headers=headers), {}, {}, PEM)


@pytest.mark.parametrize(
    "sign",
    [
        by(OTHER_KEY, "RS256"),
        by(KEY, "RS512"),
        by(KEY, "PS256"),
        by(CLIENT_SECRET * 2, "HS256"),
        unsigned,
        with_the_public_key,
        lambda claims, headers: str(by(KEY, "RS256")(claims, headers)).rsplit(".", 1)[0] + ".",
    ],
)
def test_signatures(person: Person, liar: Liar, sign: Any) -> None:
    liar.sign = sign
    refused(person, person.sign_in())


@pytest.mark.parametrize(
    "keys",
    [
        "x",
        [],
        [1, None, {}],
        [{"kty": "RSA", "kid": "one"}],
        [{"kty": "oct", "kid": "one", "k": "AAAA", "alg": "HS256"}],
        [public(OTHER_KEY)],
        [public(use="enc")],
        [public(alg="RS512")],
        [public(kid="another")],
        [{**public(), "n": "AQAB"}],
    ],
)
def test_keys(person: Person, liar: Liar, keys: Any) -> None:
    liar.lies["jwks"] = told({"keys": keys})
    refused(person, person.sign_in())


@pytest.mark.parametrize("info", [{"sub": "bob-2"}, {"sub": None}, {"sub": ["anna-1"]}, {"sub": "ANNA-1"}, {}])
def test_userinfo_of_somebody_else(person: Person, liar: Liar, info: dict[str, Any]) -> None:
    liar.lies["userinfo"] = told({"preferred_username": "anna", **info})
    refused(person, person.sign_in())


def test_one_that_is_down(person: Person, settings: Any) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:1/"
    refused(person, person.client.get("/oidc/start/"))


def test_the_limit_is_for_all_calls_together(person: Person, liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call has what the ones before have left."""
    person.start()
    monkeypatch.setattr(provider, "SECONDS", 0.5)
    liar.lies |= {"token": DRIP}
    before = time.monotonic()
    refused(person, person.back())
    assert time.monotonic() - before < 3
    assert liar.seen[-1] == "token"
