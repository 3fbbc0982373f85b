"""When a recording is deleted by itself: what pages and scripts say, and the switch that prevents it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from accounts import personal
from accounts.grants import Grant
from accounts.models import AuditEvent, User
from jobs.models import Job

Make = Callable[..., Job]
OFF, ON = 'aria-checked="false"', 'aria-checked="true"'


@pytest.fixture(autouse=True)
def a_month(settings: Any) -> None:
    settings.RETENTION_DAYS = 30
    cache.clear()


@pytest.fixture
def page(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def script(alice: User) -> Client:
    return script_of(alice, frozenset(Grant))


def script_of(user: User, scopes: frozenset[str]) -> Client:
    return Client(headers={"Authorization": f"Bearer {personal.make(user, 'x', scopes, 1)[1]}"})


def text(client: Client, path: str) -> str:
    return " ".join(client.get(path).content.decode().split())


def ended(make_job: Make, owner: User, days: float) -> Job:
    return make_job(owner, state="succeeded", finished_at=timezone.now() - timedelta(days=days))


def test_the_page_says_when_and_the_switch_keeps_it(page: Client, alice: User, make_job: Make) -> None:
    job = ended(make_job, alice, 2)
    at = timezone.now() + timedelta(days=28)
    said = text(page, f"/jobs/{job.pk}/")
    assert f'Deleted on <time class="day" datetime="{at:%Y-%m-%d}' in said
    assert f">{date_format(at)}</time>, unless kept." in said
    assert OFF in said
    for _click in range(2):
        assert page.post(f"/jobs/{job.pk}/keep/", {"kept": "yes"}).status_code == 302
    kept = text(page, f"/jobs/{job.pk}/")
    assert "Kept: it is never deleted by itself." in kept
    assert ON in kept
    page.post(f"/jobs/{job.pk}/keep/", {"kept": "no"})
    assert OFF in text(page, f"/jobs/{job.pk}/")
    assert [row.kind for row in AuditEvent.objects.filter(about=str(job.pk)).order_by("pk")] == ["kept", "given_free"]


def test_under_way_and_overdue(page: Client, alice: User, make_job: Make) -> None:
    going, late = make_job(alice, state="running"), ended(make_job, alice, 31)
    assert "Deleted 30 days after its transcription ends, unless kept." in text(page, f"/jobs/{going.pk}/")
    assert "Deleted soon, unless kept." in text(page, f"/jobs/{late.pk}/")


def test_in_german(page: Client, alice: User, make_job: Make) -> None:
    page.cookies["django_language"] = "de"
    assert "gelöscht, wenn Sie sie nicht behalten." in text(page, f"/jobs/{ended(make_job, alice, 2).pk}/")


def test_where_nothing_is_ever_deleted_nothing_is_said(
    page: Client, alice: User, make_job: Make, settings: Any
) -> None:
    settings.RETENTION_DAYS = 0
    job = ended(make_job, alice, 4000)
    assert 'id="keep"' not in text(page, f"/jobs/{job.pk}/")
    assert "soon" not in text(page, "/")


def test_the_list_says_it_when_it_is_near(page: Client, alice: User, make_job: Make) -> None:
    ended(make_job, alice, 22)
    assert "deleted on" not in text(page, "/")
    ended(make_job, alice, 24)
    assert text(page, "/").count('<span class="soon">deleted on') == 1
    job = ended(make_job, alice, 31)
    assert '<span class="soon">deleted soon</span>' in text(page, "/")
    page.post(f"/jobs/{job.pk}/keep/", {"kept": "yes"})
    assert "deleted soon" not in text(page, "/")


def test_scripts_keep_and_give_free(script: Client, alice: User, bob: User, make_job: Make) -> None:
    job, theirs = ended(make_job, alice, 2), ended(make_job, bob, 2)
    path = f"/api/v1/jobs/{job.pk}"
    found = script.get(path).json()
    assert (found["kept"], found["deleted_at"] > timezone.now().isoformat()) == (False, True)
    for _again in range(2):
        answer = script.put(f"{path}/kept")
        assert (answer.status_code, answer.json()["kept"], answer.json()["deleted_at"]) == (200, True, None)
    for _again in range(2):
        answer = script.delete(f"{path}/kept")
        assert (answer.status_code, answer.json()["kept"]) == (200, False)
        assert answer.json()["deleted_at"] > found["deleted_at"]
    assert script.get("/api/v1/limits").json()["retention_days"] == 30
    assert AuditEvent.objects.filter(about=str(job.pk)).count() == 2
    assert script.put(f"/api/v1/jobs/{theirs.pk}/kept").status_code == 404
    assert script.delete(f"/api/v1/jobs/{theirs.pk}/kept").status_code == 404
    assert script.post(f"{path}/kept").status_code == 405


def test_who_may_only_read_keeps_nothing(alice: User, make_job: Make) -> None:
    job = ended(make_job, alice, 2)
    reader = script_of(alice, frozenset({Grant.JOBS_READ}))
    assert reader.put(f"/api/v1/jobs/{job.pk}/kept").status_code == 403
    assert not Job.objects.get().protected
