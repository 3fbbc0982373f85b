"""What is swept: sessions that ended, old audit events; what is not: tokens, and people who are signed in."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts import personal
from accounts.audit import Kind, note
from accounts.conftest import Person
from accounts.models import AuditEvent, PersonalToken, Session, User
from accounts.sweep import sweep
from jobs.services.sweep import sweep as hourly


def test_sessions_that_ended_are_swept(client: Client, alice: User) -> None:
    client.force_login(alice)
    hourly()
    assert client.get("/account/").status_code == 200
    hourly(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE + 60))
    assert not Session.objects.exists()


def test_a_sign_in_that_nobody_ends_is_kept_for_minutes(person: Person) -> None:
    for _robot in range(3):
        Person(person.liar).start()
    person.start()
    sweep(timezone.now() + timedelta(minutes=9))
    assert Session.objects.count() == 4
    sweep(timezone.now() + timedelta(minutes=11))
    assert not Session.objects.exists()


def test_who_signed_in_stays_for_as_long_as_ever(person: Person, settings: Any) -> None:
    """At the provider, or with a password after having begun at the provider."""
    person.sign_in()
    User.objects.create_user("local", password="a long enough password")
    settings.LOCAL_LOGIN = True
    local = Person(person.liar)
    local.start()
    answer = local.client.post("/sign-in/", {"username": "local", "password": "a long enough password"})
    assert answer.status_code == 302
    sweep(timezone.now() + timedelta(days=13))
    assert Session.objects.filter(user__isnull=False).count() == 2


def test_audit_events_are_kept_for_a_time_and_tokens_for_good(alice: User, settings: Any) -> None:
    token, _raw = personal.make(alice, "script", frozenset({"jobs:read"}), 1)
    note(Kind.SIGNED_IN, alice)
    settings.AUDIT_DAYS = 30
    sweep(timezone.now() + timedelta(days=29))
    assert AuditEvent.objects.count() == 2
    sweep(timezone.now() + timedelta(days=31))
    assert not AuditEvent.objects.exists()
    assert PersonalToken.objects.get() == token
