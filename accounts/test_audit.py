"""Who did what, when, from where: each kind is written once, and never what people wrote, said or carried."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from accounts import personal
from accounts.audit import Kind, note
from accounts.caller import NOBODY, Caller, caller
from accounts.conftest import Person
from accounts.grants import Grant
from accounts.models import AuditEvent, User
from accounts.tokens import verify
from transcribe.request_id import WithRequestId

PASSWORD = "a long enough password"
ALL = "/admin/accounts/auditevent/"


@pytest.fixture(autouse=True)
def _from_somewhere() -> Iterator[None]:
    cache.clear()
    caller.set(Caller("192.0.2.7", "request-1"))
    yield
    caller.set(NOBODY)


def written(*kinds: Kind) -> list[tuple[str, str, str, str]]:
    rows = AuditEvent.objects.order_by("pk")
    return [(row.kind, row.name, row.about, row.detail) for row in rows if not kinds or row.kind in kinds]


@pytest.fixture
def local(alice: User, settings: Any) -> Client:
    settings.LOCAL_LOGIN = True
    alice.set_password(PASSWORD)
    alice.save()
    return Client()


def sign_in(client: Client, name: str, password: str = PASSWORD) -> None:
    client.post("/sign-in/", {"username": name, "password": password})


def test_coming_and_going(local: Client) -> None:
    sign_in(local, "alice", "wrong")
    sign_in(local, "alice")
    local.post("/sign-out/")
    assert written() == [
        ("sign_in_failed", "alice", "", "password"),
        ("signed_in", "alice", "", "here"),
        ("signed_out", "alice", "", ""),
    ]
    row = AuditEvent.objects.latest("pk")
    assert (row.address, row.request_id) == ("192.0.2.7", "request-1")


def test_what_strangers_type_is_not_kept_and_does_not_fill_the_table(local: Client) -> None:
    for number in range(5):
        sign_in(local, f"my secret {number}", "wrong")
    assert written() == [("sign_in_failed", "", "", "password")]
    caller.set(Caller("192.0.2.8", "request-2"))
    sign_in(local, "nobody", "wrong")
    assert len(written()) == 2


def test_guessing_is_kept_until_it_is_throttled(local: Client) -> None:
    for _number in range(15):
        sign_in(local, "alice", "wrong")
    assert [detail for *_, detail in written()] == [*["password"] * 10, "throttled"]


def test_at_the_provider(person: Person) -> None:
    person.back()
    person.sign_in()
    assert written() == [("sign_in_failed", "", "", "unknown_flow"), ("signed_in", "anna", "", "provider")]


def test_tokens(alice: User) -> None:
    row, raw = personal.make(alice, "my laptop", frozenset(Grant), 1)
    for _use in range(3):
        verify(raw)
    personal.revoke(row)
    personal.revoke(row)
    pk = str(row.pk)
    assert written() == [(kind, "alice", pk, "") for kind in ("token_made", "token_used", "token_revoked")]


def test_uses_in_one_hour_are_one_row_whichever_process_saw_them(alice: User) -> None:
    _row, raw = personal.make(alice, "my laptop", frozenset(Grant), 1)
    for _process in range(3):
        cache.clear()
        verify(raw)
    assert len(written(Kind.TOKEN_USED)) == 1


def test_operators(client: Client, alice: User, charlie: User) -> None:
    User.objects.filter(pk=charlie.pk).update(is_superuser=True)
    client.force_login(charlie)
    chosen = {"action": "end_sessions", "_selected_action": [alice.pk]}
    client.post("/admin/accounts/user/", chosen)
    delete = {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"}
    client.post("/admin/accounts/user/", delete)
    pk = str(alice.pk)
    assert written(Kind.ADMINISTERED) == [
        ("administered", "charlie", pk, "sign out user"),
        ("administered", "charlie", pk, "delete user"),
    ]


def test_the_log_is_read_and_not_written(client: Client, alice: User, charlie: User) -> None:
    User.objects.filter(pk=charlie.pk).update(is_superuser=True)
    client.force_login(charlie)
    note(Kind.DELETED, alice, "11111111-2222-3333-4444-555555555555", "x")
    row = AuditEvent.objects.get(kind=Kind.DELETED)
    for query in ("", "?kind__exact=deleted", "?q=alice", "?q=192.0.2.7", "?q=request-1", f"?q={row.about}"):
        page = client.get(ALL + query)
        assert (page.status_code, row.about in page.content.decode()) == (200, True)
    assert row.about not in client.get(f"{ALL}?q=bob").content.decode()
    assert client.get(f"{ALL}{row.pk}/change/").status_code == 200
    for address in (f"{ALL}add/", f"{ALL}{row.pk}/change/", f"{ALL}{row.pk}/delete/"):
        assert client.post(address, {"post": "yes", "name": "bob"}).status_code == 403
    client.force_login(alice)
    assert client.get(ALL).status_code == 302


def test_a_log_that_cannot_be_written_stops_nothing(alice: User) -> None:
    """Also in a transaction: what it was about is committed."""
    with transaction.atomic():
        alice.first_name = "Al"
        alice.save()
        note(Kind.DELETED, User(username="x" * 999))  # longer than its column
    alice.refresh_from_db()
    assert alice.first_name == "Al"
    assert written() == []


async def test_the_server_says_where_a_request_came_from() -> None:
    seen = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(caller.get())

    layer = WithRequestId(app)
    for told in (["2001:db8::1", 80], None):
        await layer({"headers": [(b"x-request-id", b"by-the-proxy")], "client": told}, None, None)  # type: ignore[arg-type]
    assert seen == [Caller("2001:db8::1", "by-the-proxy"), Caller("", "by-the-proxy")]
