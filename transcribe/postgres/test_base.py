"""Kept connections: found again, never more than allowed, never dead ones, none in the middle of a transaction."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import personal
from accounts.grants import Grant
from accounts.models import User
from transcribe.postgres.base import idle
from transcribe.serving import Server

NOT_MINE = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def keeping(transactional_db: None) -> Iterator[None]:
    connection.close()
    idle.most = 1
    yield
    connection.close()
    idle.most = 0
    idle.clear()


def backend() -> int:
    return int(ask("SELECT pg_backend_pid()"))


def ask(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def elsewhere(*calls: Any) -> list[Any]:
    """Results of these, each on a thread of its own, which closes its connection."""

    def one(call: Any) -> Any:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return [thread.submit(one, call).result() for call in calls]


def test_the_next_thread_gets_the_connection_that_was_closed(keeping: None) -> None:
    first = backend()
    connection.close()
    assert elsewhere(backend, backend) == [first, first]


def test_one_more_than_allowed_is_closed(keeping: None) -> None:
    first = backend()
    (second,) = elsewhere(backend)
    connection.close()
    assert backend() == second != first
    assert ask(f"SELECT count(*) {NOT_MINE} AND pid = {first}") == 0


def test_a_connection_that_died_is_never_handed_out(keeping: None) -> None:
    first = backend()
    connection.close()
    idle.most = 2
    kept = idle.take()
    assert kept is not None
    assert ask(f"SELECT pg_terminate_backend({first}, 5000)")
    assert idle.put(kept)  # nobody has noticed yet
    assert elsewhere(backend) != [first]


def test_what_is_in_a_transaction_is_closed_for_good(keeping: None) -> None:
    with transaction.atomic():
        first = backend()
        connection.close()
    assert backend() != first


def test_a_process_that_keeps_none_makes_each_anew(transactional_db: None) -> None:
    first = backend()
    connection.close()
    assert backend() != first


def at_rest(of_server: str) -> list[int]:
    """The server's connections, once two looks find the same: an answer is out before its request has ended."""
    found, before = ask(f"SELECT array_agg(pid) {of_server}"), None
    while found != before:
        time.sleep(0.2)
        found, before = ask(f"SELECT array_agg(pid) {of_server}"), found
    return list(found)


def test_requests_share_connections_and_outlive_their_death(server: Server, alice: User) -> None:
    """Fifty requests at once and one after another, then every connection of the web process is killed."""
    token = personal.make(alice, "test", frozenset({Grant.JOBS_READ}), 1)[1]
    head = f"GET /api/v1/jobs HTTP/1.1\nHost: 127.0.0.1:{server.port}\nAuthorization: Bearer {token}\n\n"

    def together(requests: int) -> set[int]:
        with ThreadPoolExecutor(16) as scripts:
            return set(scripts.map(lambda _: server.send(head).status, range(requests)))

    of_server = f"{NOT_MINE} AND application_name = 'web {server.port}'"
    assert together(50) == {200}
    kept = at_rest(of_server)
    assert 1 <= len(kept) <= 12  # those kept, and the two that live pages may hold
    assert together(50) == {200}
    assert set(ask(f"SELECT array_agg(pid) {of_server}")) & set(kept)
    assert ask(f"SELECT count(pg_terminate_backend(pid, 5000)) {of_server}")
    assert server.send(head).status == 200
