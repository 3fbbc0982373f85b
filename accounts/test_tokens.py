"""Forged and misused tokens: none opens anything."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.sessions.backends.base import SessionBase
from django.test import Client, RequestFactory

from accounts import island, personal, signing
from accounts.grants import BadToken, Grant, ScopeMissing
from accounts.models import User
from accounts.tokens import LONGEST, authenticate, authenticate_request, genuine, verify

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def session(alice: User) -> SessionBase:
    client = Client()
    client.force_login(alice)
    return client.session


@pytest.fixture
def good(alice: User, session: SessionBase) -> str:
    return island.mint(alice, session)[0]


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def opened(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def forged(token: str, header: dict[str, Any], claims: dict[str, Any], key: bytes | None = None) -> str:
    """`token` with changes; signed by HMAC with `key`, else with our own key, as if it had leaked."""
    old_header, old_claims = opened(token)
    body = f"{part(old_header | header)}.{part({k: v for k, v in (old_claims | claims).items() if v is not None})}"
    used = signing._key(old_header["typ"]) if key is None else key
    signature = hmac.new(used, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def refused(token: str) -> None:
    with pytest.raises(BadToken):
        verify(token)


def test_the_forger_of_this_file_can_make_a_good_one(good: str, alice: User) -> None:
    assert verify(forged(good, {}, {})).user == alice  # else every case below would pass for a wrong reason


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["", "x"])
def test_unsigned(good: str, name: str, signature: str) -> None:
    header, claims = opened(good)
    refused(f"{part(header | {'alg': name})}.{part(claims)}.{signature}")
    refused(f"{part(header | {'alg': name})}.{part(claims)}")


@pytest.mark.parametrize("key", [b"", b"\0" * 32, PUBLIC, b"secret", b"only-for-the-type-checker-never-used-to-sign"])
def test_other_keys(good: str, key: bytes) -> None:
    refused(forged(good, {}, {}, key))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_other_algorithms(good: str, algorithm: str) -> None:
    header, claims = opened(good)
    refused(jwt.encode(claims, RSA, algorithm, headers={"typ": header["typ"]}))
    refused(jwt.encode(claims, signing._key(signing.ISLAND) * 2, "HS512", headers={"typ": header["typ"]}))
    refused(forged(good, {"alg": algorithm}, {}))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../../../dev/null"},
        {"kid": "' UNION SELECT 'x"},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/chain"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"crit": ["exp"]},
        {"b64": False},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"typ": signing.PERSONAL},
        {"typ": None},
        {"typ": ["island+jwt"]},
    ],
)
def test_headers(good: str, header: dict[str, Any]) -> None:
    refused(forged(good, header, {}))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "urn:another"},
        {"iss": ["urn:transcribe"]},
        {"iss": None},
        {"aud": "urn:another:api"},
        {"aud": ["urn:transcribe:api", "urn:another"]},
        {"aud": None},
        {"sub": None},
        {"sub": "999999"},
        {"sub": 1},
        {"exp": None},
        {"exp": 1},
        {"exp": "99999999999"},
        {"exp": 1e300},
        {"iat": None},
        {"iat": 99999999999},
        {"nbf": 99999999999},
        {"jti": None},
        {"scope": None},
        {"scope": ["uploads:write"]},
        {"sid": None},
        {"sid": ""},
        {"sid": ["x"]},
        {"sid": "0" * 64},
    ],
)
def test_claims(good: str, claims: dict[str, Any]) -> None:
    refused(forged(good, {}, claims))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "raw",
    ["", ".", "..", "a.b.c", "x" * (LONGEST + 1), "\u2028.\0.é", part([]) * 3, part("{") + "." + "[" * 9000 + "."],
)
def test_rubbish(raw: str) -> None:
    refused(raw)


def test_every_changed_part(good: str) -> None:
    for place, char in enumerate(good):
        if place % 7 == 0 and char != ".":
            refused(good[:place] + ("A" if char != "A" else "B") + good[place + 1 :])


def test_expired_is_refused_for_its_time_alone(alice: User, session: SessionBase) -> None:
    claims = {"scope": "jobs:read", "sid": opened(island.mint(alice, session)[0])[1]["sid"]}
    verify(signing.sign(signing.ISLAND, str(alice.pk), timedelta(seconds=30), claims)[0])
    refused(signing.sign(signing.ISLAND, str(alice.pk), timedelta(seconds=-30), claims)[0])


def test_one_purpose_does_not_stand_in_for_the_other(alice: User, good: str) -> None:
    _row, token = personal.make(alice, "backup", frozenset({Grant.JOBS_READ}), 1)
    for one, other in [(good, token), (token, good)]:
        typ = {"typ": opened(other)[0]["typ"]}
        refused(forged(one, typ, {}))  # signed with its own key
        refused(forged(one, typ, {}, signing._key(typ["typ"])))  # with the other's: no such session, no such row


def test_another_installation_signs_with_another_key(good: str, settings: Any) -> None:
    settings.SECRET_KEY = "another installation with a key of its own"
    refused(good)


def test_more_scopes_than_there_are_do_not_appear(good: str) -> None:
    claims = {"scope": "uploads:write jobs:read jobs:write admin"}
    assert verify(forged(good, {}, claims)).scopes == {"uploads:write", "jobs:read"}


def test_a_request_without_a_token_has_none_and_with_a_bad_one_is_refused(good: str, alice: User) -> None:
    make: Callable[..., Any] = RequestFactory().get
    assert authenticate_request(make("/")) is None
    for field in (f"Bearer {good}", f"bearer {good}"):
        bearer = authenticate_request(make("/", headers={"Authorization": field}))
        assert bearer is not None
        assert bearer.user == alice
    for field in ("", good, f"Basic {good}", f"Bearer {good} x", f"Bearer {good}, Bearer {good}", "Bearer", "Bearer "):
        with pytest.raises(BadToken):
            authenticate_request(make("/", headers={"Authorization": field}))


def connection(*fields: str) -> dict[str, Any]:
    return {"type": "http", "headers": [(b"authorization", field.encode()) for field in fields]}


@pytest.mark.django_db(transaction=True)
async def test_a_connection_needs_one_token_with_the_scope(good: str, alice: User) -> None:
    assert (await authenticate(connection(f"Bearer {good}"), Grant.UPLOADS_WRITE)).user == alice
    with pytest.raises(ScopeMissing):
        await authenticate(connection(f"Bearer {good}"), Grant.JOBS_WRITE)
    for fields in [(), (f"Bearer {good}", f"Bearer {good}")]:
        with pytest.raises(BadToken):
            await authenticate(connection(*fields), Grant.UPLOADS_WRITE)


async def test_the_gate_believes_signatures_only() -> None:
    claims = {"scope": "jobs:read", "sid": "gone"}
    signed = signing.sign(signing.ISLAND, "1", timedelta(minutes=1), claims)[0]
    assert await genuine(connection(f"Bearer {signed}"))  # no database was asked
    assert not await genuine(connection(f"Bearer {forged(signed, {}, {}, b'x' * 32)}"))
    assert not await genuine(connection())
