"""Forged and misused tokens at every door that takes one: none is let in, none leaves anything behind."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from channels.db import database_sync_to_async
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import island, personal, signing
from accounts.grants import Grant
from accounts.models import PersonalToken, Session, User
from accounts.test_tokens import PUBLIC, RSA, forged, opened, part
from accounts.tokens import LONGEST
from jobs.live import hub
from jobs.models import Job, Upload
from transcribe.test_access_doors import ASKED, END, MULTIPART, RECORDING, TUS, Door, knock

pytestmark = pytest.mark.django_db(transaction=True)
DOORS = [
    Door("/api/v1/jobs", "GET"),
    Door("/api/v1/uploads/", "POST", {**TUS, "upload-length": "9"}),
    Door("/api/v1/upload", "POST", MULTIPART, RECORDING + END),
    Door("/v1/models", "GET"),
    Door("/v1/audio/transcriptions", "POST", MULTIPART, ASKED + END),
    Door(f"/api/v1/jobs/{uuid4()}/events", "GET"),
]
LET_IN = {200, 201, 400, 404}  # of a good token: 400 is the wrong format at OpenAI's door, 404 a recording of nobody
ELSEWHERE = "http://127.0.0.1:9/keys"


@dataclass
class Person:
    """Somebody with a session and one good token of each kind, for a forger to start from."""

    user: User = field(default_factory=lambda: User.objects.create_user(uuid4().hex, password="a long password"))
    browser: Client = field(default_factory=Client)

    def __post_init__(self) -> None:
        self.browser.force_login(self.user)
        self.island = island.mint(self.user, self.browser.session)[0]
        self.row, self.personal = personal.make(self.user, "script", frozenset(Grant), 1)

    def header(self, **header: Any) -> str:
        return forged(self.island, header, {})

    def claims(self, **claims: Any) -> str:
        return forged(self.personal, {}, claims)

    def unsigned(self, algorithm: str, end: str = ".") -> str:
        header, claims = opened(self.personal)
        return f"{part(header | {'alg': algorithm})}.{part(claims)}{end}"

    def signed(self, key: Any, algorithm: str, **claims: Any) -> str:
        header, old = opened(self.personal)
        return jwt.encode(old | claims, key, algorithm, headers={"typ": header["typ"]})

    def after(self, happens: Callable[[], object], token: str) -> str:
        """A good token whose ground is gone by now."""
        happens()
        return token


def _next_person(person: Person) -> None:
    person.browser.force_login(User.objects.create_user(uuid4().hex))


def _change_password(person: Person) -> None:
    person.user.set_password("another long password")
    person.user.save()


def _sign_out(person: Person) -> object:
    return person.browser.post("/sign-out/")


def _disable(person: Person) -> object:
    return User.objects.filter(pk=person.user.pk).update(is_active=False)


def _run_out(rows: Any, column: str) -> object:
    return rows.update(**{column: timezone.now() - timedelta(seconds=1)})


def _of(person: Person) -> tuple[Any, Any]:
    return PersonalToken.objects.filter(owner=person.user), Session.objects.filter(user=person.user)


FORGERIES: dict[str, Callable[[Person], str]] = {
    "not signed: none": lambda p: p.unsigned("none"),
    "not signed: None": lambda p: p.unsigned("None"),
    "not signed: NONE": lambda p: p.unsigned("NONE"),
    "not signed, two parts": lambda p: p.unsigned("none", ""),
    "not signed, a signature's letter": lambda p: p.unsigned("none", ".x"),
    "signed with nothing": lambda p: forged(p.personal, {}, {}, b""),
    "signed with zeros": lambda p: forged(p.personal, {}, {}, bytes(32)),
    "signed with a public key": lambda p: forged(p.personal, {}, {}, PUBLIC),
    "signed with a guess": lambda p: forged(p.personal, {}, {}, b"secret"),
    "signed with the SECRET_KEY itself": lambda p: forged(p.personal, {}, {}, settings.SECRET_KEY.encode()),
    "signed with the island's key": lambda p: forged(p.personal, {}, {}, signing._key(signing.ISLAND)),
    "signed with the personal tokens' key": lambda p: forged(p.island, {}, {}, signing._key(signing.PERSONAL)),
    "signed by RS256": lambda p: p.signed(RSA, "RS256"),
    "signed by PS256": lambda p: p.signed(RSA, "PS256"),
    "signed by ES256": lambda p: p.signed(ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "signed by HS512 with our key": lambda p: p.signed(signing._key(signing.PERSONAL) * 2, "HS512"),
    "says RS256, signed by HMAC": lambda p: p.header(alg="RS256"),
    "kid: a file": lambda p: p.header(kid="../../../../dev/null"),
    "kid: SQL": lambda p: p.header(kid="' UNION SELECT 'x"),
    "jku": lambda p: p.header(jku=ELSEWHERE),
    "x5u": lambda p: p.header(x5u=ELSEWHERE),
    "jwk": lambda p: p.header(jwk={"kty": "oct", "k": "AAAA"}),
    "crit": lambda p: p.header(crit=["exp"]),
    "b64": lambda p: p.header(b64=False),
    "typ: JWT": lambda p: p.header(typ="JWT"),
    "typ: at+jwt": lambda p: p.header(typ="at+jwt"),
    "typ: the other purpose": lambda p: p.header(typ=signing.PERSONAL),
    "typ: none": lambda p: p.header(typ=None),
    "iss: another": lambda p: p.claims(iss="https://login.example.org/"),
    "iss: a list": lambda p: p.claims(iss=[signing.ISSUER]),
    "iss: none": lambda p: p.claims(iss=None),
    "aud: another": lambda p: p.claims(aud="urn:another:api"),
    "aud: ours among others": lambda p: p.claims(aud=[signing.AUDIENCE, "urn:another"]),
    "aud: none": lambda p: p.claims(aud=None),
    "sub: another person": lambda p: p.claims(sub=str(Person().user.pk)),
    "sub: a number": lambda p: p.claims(sub=p.user.pk),
    "sub: none": lambda p: p.claims(sub=None),
    "exp: past": lambda p: p.claims(exp=int(time.time()) - 60),
    "exp: none": lambda p: p.claims(exp=None),
    "exp: text": lambda p: p.claims(exp="99999999999"),
    "iat: tomorrow": lambda p: p.claims(iat=int(time.time()) + 86_400),
    "nbf: tomorrow": lambda p: p.claims(nbf=int(time.time()) + 86_400),
    "jti: unknown": lambda p: p.claims(jti="x" * 43),
    "jti: none": lambda p: p.claims(jti=None),
    "scope: none": lambda p: p.claims(scope=None),
    "sid: none": lambda p: forged(p.island, {}, {"sid": None}),
    "sid: another person's session": lambda p: forged(p.island, {}, {"sid": opened(Person().island)[1]["sid"]}),
    "an ID token": lambda p: p.signed(RSA, "RS256", iss="https://login.example.org/", aud="transcribe", nonce="n"),
    "claims of one, signature of the other": lambda p: p.island.rsplit(".", 1)[0] + "." + p.personal.split(".")[2],
    "cut off": lambda p: p.personal[:-4],
    "twice": lambda p: f"{p.personal}, Bearer {p.personal}",
    "too long": lambda p: p.personal + "A" * LONGEST,
    "of another installation": lambda p: forged(p.personal, {}, {}, b"another installation's derived key"),
    "revoked": lambda p: p.after(lambda: personal.revoke(p.row), p.personal),
    "its row deleted": lambda p: p.after(lambda: p.row.delete(), p.personal),
    "its row run out": lambda p: p.after(lambda: _run_out(_of(p)[0], "expires_at"), p.personal),
    "its owner disabled": lambda p: p.after(lambda: _disable(p), p.personal),
    "its owner deleted": lambda p: p.after(lambda: p.user.delete(), p.personal),
    "island: signed out": lambda p: p.after(lambda: _sign_out(p), p.island),
    "island: session run out": lambda p: p.after(lambda: _run_out(_of(p)[1], "expire_date"), p.island),
    "island: another password": lambda p: p.after(lambda: _change_password(p), p.island),
    "island: the next person in the browser": lambda p: p.after(lambda: _next_person(p), p.island),
    "island: its person disabled": lambda p: p.after(lambda: _disable(p), p.island),
}


@pytest.fixture(autouse=True)
async def _listener(media: object) -> AsyncIterator[None]:
    yield
    await hub().stop()


async def answers(token: str) -> list[int]:
    """Of every door. Requests are counted by token and person: no door may say no for that."""
    cache.clear()
    return [(await knock(door, {"authorization": f"Bearer {token}"}, {}))[0] for door in DOORS]


async def test_good_tokens_are_let_in() -> None:
    person = await database_sync_to_async(Person)()
    for token in (person.island, person.personal, forged(person.island, {}, {}), forged(person.personal, {}, {})):
        assert set(await answers(token)) <= LET_IN  # else every case below would pass for a wrong reason


async def test_none_of_the_forged_is() -> None:
    accepted = {}
    for name, forge in FORGERIES.items():
        token = await database_sync_to_async(lambda forge=forge: forge(Person()))()
        found = await answers(token)
        if set(found) != {401}:
            accepted[name] = found
    assert accepted == {}
    assert len(FORGERIES) >= 40
    assert not await database_sync_to_async(lambda: Upload.objects.exists() or Job.objects.exists())()


@pytest.mark.parametrize(
    ("scopes", "wanted"),
    [
        ({Grant.JOBS_READ}, [200, 403, 403, 200, 403, 404]),
        ({Grant.JOBS_WRITE}, [403, 403, 403, 403, 403, 403]),
        ({Grant.UPLOADS_WRITE}, [403, 201, 201, 403, 400, 403]),
    ],
)
async def test_a_scope_opens_its_own_doors_alone(scopes: set[Grant], wanted: list[int]) -> None:
    def make() -> list[str]:
        raw = personal.make(Person().user, "narrow", frozenset(scopes), 1)[1]
        return [raw, forged(raw, {}, {"scope": "jobs:read jobs:write uploads:write"})]  # the row has the last word

    for token in await database_sync_to_async(make)():
        assert await answers(token) == wanted
