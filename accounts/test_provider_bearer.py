"""Access tokens of the identity provider: as Authentik makes them, forged, misused, and with the provider gone."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from django.test import Client

from accounts import provider
from accounts.grants import BadToken, Bearer, Grant, ProviderSilent, TokenError, Unwelcome
from accounts.models import Session, User
from accounts.testing.lying import CLIENT_ID, HANG, KEY, OTHER_KEY, Liar, public, told
from accounts.tokens import genuine, verify

PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
JOBS = "/api/v1/jobs"


def token(liar: Liar, headers: dict[str, Any] | None = None, key: Any = KEY, **changes: Any) -> str:
    """An access token as Authentik makes it for a service account; None takes a claim away."""
    now = int(time.time())
    claims = {
        "iss": liar.issuer,
        "sub": "9a3c-machine",
        "aud": CLIENT_ID,
        "exp": now + 600,
        "iat": now,
        "auth_time": now,
        "acr": "goauthentik.io/providers/oauth2/default",
        "azp": CLIENT_ID,
        "uid": "u" * 40,
        "scope": "email profile openid",
        "email": "",
        "email_verified": False,
        "preferred_username": "transcribe-machine",
        "groups": ["transcribe-users"],
        **changes,
    }
    named = {"kid": "one", "typ": "JWT", **(headers or {})}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, named.pop("alg", "RS256"), named)


def refused(raw: str, error: type[TokenError] = BadToken) -> TokenError:
    with pytest.raises(error) as caught:
        verify(raw)
    assert not User.objects.exclude(subject="").exists()
    assert caught.value.detail.endswith(".")
    return caught.value


def test_a_service_account_becomes_a_user_on_first_use(liar: Liar) -> None:
    user, scopes = verify(token(liar))
    assert (user.issuer, user.subject, user.username) == (liar.issuer, "9a3c-machine", "transcribe-machine")
    assert not user.has_usable_password()
    assert not user.is_staff
    assert scopes == set(Grant)
    assert verify(token(liar)).user == user
    assert liar.seen == ["discovery", "jwks"]  # asked once


def test_scopes_of_ours_are_kept_to(liar: Liar) -> None:
    assert verify(token(liar, scope="openid jobs:read admin")).scopes == {"jobs:read"}
    client = Client(headers={"Authorization": f"Bearer {token(liar, scope='jobs:read')}"})
    assert client.get(JOBS).status_code == 200
    answer = client.post(f"{JOBS}/{'0' * 8}-0000-4000-8000-{'0' * 12}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    "changes",
    [
        {"azp": None},
        {"azp": "another-client"},
        {"azp": ["transcribe"]},
        {"azp": ""},
        {"azp": {"x": 1}},
        {"azp": None, "scope": None},  # Authentik's ID token
        {"scope": None},
        {"scope": ["jobs:read"]},
        {"at_hash": "x"},
        {"events": {}},
        {"aud": "another-client"},
        {"aud": ["transcribe", "another-client"]},
        {"aud": None},
        {"iss": None},
        {"iss": "https://another.example/"},
        {"sub": None},
        {"sub": ""},
        {"sub": 1},
        {"sub": "x" * 256},
        {"exp": None},
        {"exp": 1},
        {"exp": "99999999999"},
        {"iat": None},
        {"iat": 99999999999},
        {"nbf": 99999999999},
    ],
)
def test_claims(liar: Liar, changes: dict[str, Any]) -> None:
    refused(token(liar, **changes))


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": "two"},
        {"kid": "../../../../dev/null"},
        {"kid": "' UNION SELECT 'x"},
        {"typ": "logout+jwt"},
        {"typ": "personal+jwt"},
        {"typ": "island+jwt"},
        {"crit": ["exp"]},
        {"alg": "RS512"},
        {"alg": "PS256"},
    ],
)
def test_headers(liar: Liar, headers: dict[str, Any]) -> None:
    refused(token(liar, headers))


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_keys_that_a_token_brings_along_are_not_looked_at(liar: Liar, name: str) -> None:
    brought: Any = public(OTHER_KEY) if name == "jwk" else f"{liar.issuer}canary"
    refused(token(liar, {name: brought}, OTHER_KEY))
    assert "canary" not in liar.seen


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_other_algorithms(liar: Liar, algorithm: str) -> None:
    """HS256 with what everybody may know: PyJWT refuses to sign with a PEM, so it goes without its frame."""
    key = None if algorithm == "none" else PEM.replace(b"-----", b"")
    refused(token(liar, {"alg": algorithm}, key))
    refused(token(liar, {"alg": algorithm}, None if algorithm == "none" else b"a secret between the two" * 2))


def test_signed_by_somebody_else(liar: Liar) -> None:
    refused(token(liar, key=OTHER_KEY))
    refused(token(liar)[:-8] + "AAAAAAAA")


def test_a_key_that_verifies_by_secret_is_no_key(liar: Liar) -> None:
    liar.lies["jwks"] = told({"keys": [{"kty": "oct", "kid": "one", "alg": "HS256", "k": "c2VjcmV0" * 8}]})
    refused(token(liar, {"alg": "HS256"}, b"secret" * 8))


def test_unknown_keys_are_asked_for_once_in_a_while(liar: Liar) -> None:
    verify(token(liar))
    for number in range(20):
        with pytest.raises(BadToken):
            verify(token(liar, {"kid": f"new-{number}"}))
    assert liar.seen.count("jwks") == 2


def test_only_the_clients_of_the_settings(liar: Liar, settings: Any) -> None:
    settings.OIDC_API_CLIENTS = ["backup", "archive"]
    verify(token(liar, azp="archive"))
    with pytest.raises(BadToken):
        verify(token(liar))


def test_groups_decide_who_is_let_in(liar: Liar, settings: Any) -> None:
    settings.OIDC_ALLOWED_GROUPS = ["transcribe-users"]
    for groups in ([], None, "transcribe-users", ["others"]):
        error = refused(token(liar, groups=groups), Unwelcome)
        assert (error.status, error.code) == (403, "not_allowed")
        assert "transcribe-users" in error.detail
    verify(token(liar))
    answer = Client(headers={"Authorization": f"Bearer {token(liar, groups=[])}"}).get(JOBS)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


def test_disabled_users_are_refused(liar: Liar) -> None:
    User.objects.filter(pk=verify(token(liar)).user.pk).update(is_active=False)
    with pytest.raises(BadToken):
        verify(token(liar))


def test_machines_follow_their_groups_and_people_their_sign_ins(liar: Liar, settings: Any) -> None:
    settings.OIDC_STAFF_GROUPS, settings.OIDC_ALLOWED_GROUPS = ["admins"], ["users"]
    assert verify(token(liar, groups=["users", "admins"])).user.is_staff
    assert not verify(token(liar, groups=["users"])).user.is_staff
    person = verify(token(liar, sub="anna-1", groups=["users"])).user
    browser = Client()
    browser.force_login(person)
    assert not verify(token(liar, sub="anna-1", groups=["users", "admins"])).user.is_staff
    with pytest.raises(Unwelcome):  # an old token says so, perhaps: it is refused, and nothing else ends
        verify(token(liar, sub="anna-1", groups=[]))
    assert Session.objects.filter(user=person).exists()


def test_a_person_is_the_same_one_in_the_browser_and_in_a_script(liar: Liar, person: Any) -> None:
    person.sign_in()
    known = User.objects.get(subject="anna-1")
    assert verify(token(liar, sub="anna-1")) == Bearer(known, frozenset(Grant))


@pytest.mark.parametrize("where", ["discovery", "jwks"])
@pytest.mark.parametrize("lie", [HANG, told({}, 500), told(b"<html>"), told({"keys": 1, "issuer": "x"})])
def test_a_provider_that_fails_is_said_and_not_called_a_bad_token(
    liar: Liar, where: str, lie: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "SECONDS", 0.3)
    liar.lies[where] = lie
    client = Client(headers={"Authorization": f"Bearer {token(liar)}"})
    for _again in range(5):
        answer = client.get(JOBS)
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_failed")
        assert answer["Retry-After"] == "5"
        assert "identity provider" in answer.json()["detail"]
    assert liar.seen.count(where) == 1  # nobody waits for it five times
    assert client.get("/v1/models").status_code == 503


def test_it_is_asked_again_later_and_what_is_known_goes_on(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    liar.lies["jwks"] = told({}, 500)
    refused(token(liar), ProviderSilent)
    del liar.lies["jwks"]
    refused(token(liar), ProviderSilent)
    monkeypatch.setattr(provider, "FAILED_SECONDS", 0.0)
    verify(token(liar))
    liar.lies["jwks"] = liar.lies["discovery"] = HANG
    verify(token(liar))


def connection(raw: str) -> dict[str, Any]:
    return {"headers": [(b"authorization", f"Bearer {raw}".encode())]}


async def test_the_gate_asks_too_and_never_fails(liar: Liar, settings: Any) -> None:
    assert await genuine(connection(token(liar)))
    assert not await genuine(connection(token(liar, key=OTHER_KEY)))
    assert not await genuine(connection(token(liar, iss="https://another.example/")))
    settings.OIDC_ISSUER = liar.issuer = "http://127.0.0.1:9/"
    assert not await genuine(connection(token(liar)))


def test_without_a_provider_none_of_its_tokens_count(liar: Liar, settings: Any) -> None:
    settings.OIDC_ISSUER = ""
    refused(token(liar))
    refused(token(liar, iss=""))
    assert liar.seen == []
