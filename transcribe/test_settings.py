"""What the settings make of the environment."""

from typing import Any

from transcribe.settings import _database


def test_a_silent_database_is_noticed_and_the_url_has_the_last_word() -> None:
    options: Any = _database("postgresql://a:b@db.example.org/c?keepalives_idle=7&sslmode=require")["OPTIONS"]
    assert (options["tcp_user_timeout"], options["keepalives_idle"], options["sslmode"]) == (60_000, "7", "require")
