"""Production as an operator sets it up: nothing to complain about, and no start with what cannot be meant."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from transcribe.checks import check_production
from transcribe.conftest import Serve

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {
    "SECRET_KEY": secrets.token_urlsafe(48),
    "ALLOWED_HOSTS": "transcribe.test",
    "DATABASE_URL": "postgresql://transcribe@/none",
    "BEHIND_TLS_PROXY": "true",
    "OIDC_ISSUER": "https://login.test/application/o/transcribe/",
    "OIDC_CLIENT_ID": "transcribe",
    "OIDC_CLIENT_SECRET": secrets.token_urlsafe(48),
}
COMPOSE_EXAMPLE = "change-me-to-fifty-random-characters-0123456789"


def run(*words: str, **given: str) -> "subprocess.CompletedProcess[str]":
    """A Python process with the environment of production and nothing of this one's but its paths."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=ROOT, env={**kept, **SETTINGS, **given}, capture_output=True, text=True, timeout=120, check=False
    )


def test_djangos_own_checks_of_production_find_nothing() -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert (done.returncode, "no issues (0 silenced)" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("words", [("manage.py", "migrate"), ("-c", "import transcribe.asgi")])
def test_neither_commands_nor_the_server_start_with_an_example(words: tuple[str, ...]) -> None:
    done = run(*words, SECRET_KEY=COMPOSE_EXAMPLE, DEBUG="true", ALLOWED_HOSTS="", FAILPOINTS="/tmp")
    assert done.returncode != 0
    for said in ("SECRET_KEY is from an example", "DEBUG is on in production", "ALLOWED_HOSTS names no host"):
        assert said in done.stderr
    assert "FAILPOINTS is set in production" in done.stderr
    assert COMPOSE_EXAMPLE not in done.stderr


def test_a_short_key_starts_nothing() -> None:
    done = run("manage.py", "check", SECRET_KEY="short")
    assert done.returncode != 0
    assert "SECRET_KEY has 5 characters; use at least 32 random ones." in done.stderr


@pytest.fixture
def production(settings: Any) -> Any:
    """These tests' settings, as if they were production's."""
    settings.EMBEDDED, settings.DEBUG = False, False
    settings.SECRET_KEY, settings.ALLOWED_HOSTS = secrets.token_urlsafe(48), ["transcribe.test"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://transcribe.test"]
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_SECRET = "https://login.test/", secrets.token_hex(32)
    return settings


def test_good_settings_pass(production: Any) -> None:
    assert check_production() == []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("SECRET_KEY", "django-insecure-0f1e2d3c4b5a69788796a5b4c3d2e1f001122334", "E001"),
        ("SECRET_KEY", "a" * 64, "E001"),
        ("SECRET_KEY", "abcabcabcabcabcabcabcabcabcabcabcabc", "E001"),
        ("SECRET_KEY", "your-secret-key-goes-here-0123456789abcdef", "E001"),
        ("SECRET_KEY", "REPLACE_ME_with_48_random_bytes_of_base64", "E001"),
        ("SECRET_KEY", "only-for-the-type-checker-never-used-to-sign", "E001"),
        ("OIDC_CLIENT_SECRET", "changeme", "E002"),
        ("OIDC_CLIENT_SECRET", "example-client-secret-of-the-handbook", "E002"),
        ("DEBUG", True, "E003"),
        ("ALLOWED_HOSTS", [], "E004"),
        ("ALLOWED_HOSTS", ["*"], "E005"),
        ("CSRF_TRUSTED_ORIGINS", ["http://transcribe.test"], "E006"),
        ("FAILPOINTS", "/tmp/failpoints", "E007"),
        ("METRICS_TOKEN", "a" * 32, "E008"),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_a_hint(production: Any, name: str, value: Any, code: str) -> None:
    setattr(production, name, value)
    (found,) = check_production()
    assert found.id == f"transcribe.{code}"
    assert found.hint
    assert str(value) not in found.msg or code == "E006"  # no secret in a log


def test_the_stack_for_trials_may_do_all_that(production: Any) -> None:
    production.EMBEDDED, production.DEBUG, production.ALLOWED_HOSTS = True, True, []
    assert check_production() == []


def test_cookies_of_production_are_for_this_host_alone() -> None:
    names = "SESSION_COOKIE_NAME CSRF_COOKIE_NAME LANGUAGE_COOKIE_NAME SESSION_COOKIE_SECURE SECURE_HSTS_SECONDS"
    program = f"from transcribe import settings; print([getattr(settings, name) for name in {names.split()}])"
    said = run("-c", program).stdout.strip()
    assert said == "['__Host-sessionid', '__Host-csrftoken', '__Host-django_language', True, 31536000]"


def test_a_server_in_production_speaks_tls_alone(serve_pages: Serve, db: None) -> None:
    given = {**SETTINGS, "TRANSCRIBE_EMBEDDED": "false", "ALLOWED_HOSTS": "127.0.0.1", "LOCAL_LOGIN": "true"}
    del given["DATABASE_URL"]
    server = serve_pages(**given)
    head = f"GET /sign-in/ HTTP/1.1\nHost: 127.0.0.1:{server.port}\nConnection: close\n"
    plain = server.send(f"{head}\n")
    assert (plain.status, plain.headers["location"]) == (301, f"https://127.0.0.1:{server.port}/sign-in/")
    page = server.send(f"{head}X-Forwarded-Proto: https\n\n")
    assert page.status == 200
    assert page.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains; preload"
    assert "unsafe" not in page.headers["content-security-policy"]
    name, *rules = page.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-csrftoken=")
    assert {"Secure", "Path=/", "SameSite=Lax"} <= set(rules)
    assert not any(rule.startswith("Domain") for rule in rules)
