"""What the settings make of the environment."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from transcribe import env
from transcribe.settings import _database


def test_a_silent_database_is_noticed_and_the_url_has_the_last_word() -> None:
    options: Any = _database("postgresql://a:b@db.example.org/c?keepalives_idle=7&sslmode=require")["OPTIONS"]
    assert (options["tcp_user_timeout"], options["keepalives_idle"], options["sslmode"]) == (60_000, "7", "require")


@pytest.mark.parametrize(("seconds", "sent"), [(7, {"options": "-c idle_in_transaction_session_timeout=7s"}), (0, {})])
def test_who_stands_still_in_a_transaction_is_ended(
    seconds: int, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcribe.settings.DATABASE_TRANSACTION_SECONDS", seconds)
    options: Any = _database("postgresql://a:b@db.example.org/c")["OPTIONS"]
    assert {name: value for name, value in options.items() if name == "options"} == sent


@pytest.mark.parametrize("right", ["", "clamav:3310", "10.0.0.7:3310", "[::1]:3310", "/run/clamav/clamd.ctl"])
def test_an_address_is_a_host_with_its_port_or_a_path(right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEBODY", right)
    assert env.address("SOMEBODY") == right


@pytest.mark.parametrize("wrong", ["clamav", "clamav:", "tcp://clamav:3310", "clamav:port", "run/clamd.ctl"])
def test_another_address_is_named(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEBODY", wrong)
    with pytest.raises(ImproperlyConfigured, match=r"SOMEBODY is .* HOST:PORT"):
        env.address("SOMEBODY")
