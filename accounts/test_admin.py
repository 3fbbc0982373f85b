"""People and tokens in the administration: no secret, no way to more rights, revoked in one step."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.grants import Grant
from accounts.models import PersonalToken, User
from accounts.personal import make

TOKENS = "/admin/accounts/personaltoken/"


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """staff("view_user", ...) -> the browser of somebody with these rights alone."""

    def start(*rights: str) -> Client:
        person = User.objects.create_user("dana", is_staff=True)
        person.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts", codename__in=rights))
        browser = Client()
        browser.force_login(person)
        return browser

    return start


@pytest.fixture
def token(alice: User) -> PersonalToken:
    return make(alice, "nightly", frozenset({Grant.JOBS_READ}), 1)[0]


def page_of(person: User, page: str = "change") -> str:
    return reverse(f"admin:accounts_user_{page}", args=[person.pk])


def test_people_are_listed_and_found(staff: Callable[..., Client], alice: User, bob: User) -> None:
    browser = staff("view_user")
    found = browser.get(reverse("admin:accounts_user_changelist"), {"q": "alic"}).content.decode()
    assert "alice" in found
    assert page_of(bob) not in found
    assert browser.get(page_of(alice)).status_code == 200


def test_tokens_are_seen_without_their_secret(staff: Callable[..., Client], token: PersonalToken) -> None:
    browser = staff("view_personaltoken")
    for page in (TOKENS, f"{TOKENS}{token.pk}/change/"):
        said = browser.get(page).content.decode()
        assert "nightly" in said
        assert token.jti_sha256 not in said


def test_an_operator_revokes_a_token(staff: Callable[..., Client], token: PersonalToken) -> None:
    form = {"action": "revoke", "_selected_action": str(token.pk)}
    staff("view_personaltoken", "change_personaltoken").post(TOKENS, form)
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_revoking_needs_its_right(staff: Callable[..., Client], token: PersonalToken) -> None:
    browser = staff("view_personaltoken")
    browser.post(TOKENS, {"action": "revoke", "_selected_action": str(token.pk)})
    token.refresh_from_db()
    assert token.revoked_at is None
    forged = {"name": "mine", "scope": "jobs:write"}
    assert browser.post(f"{TOKENS}{token.pk}/change/", forged).status_code == 403
    assert browser.post(f"{TOKENS}add/", forged).status_code == 403


@pytest.mark.parametrize("path", ["user/", "personaltoken/"])
def test_staff_without_the_right_see_nothing(staff: Callable[..., Client], token: PersonalToken, path: str) -> None:
    browser = staff()
    assert browser.get(f"/admin/accounts/{path}").status_code == 403
    assert path not in browser.get("/admin/").content.decode()


def test_nobody_gives_themselves_rights(staff: Callable[..., Client], alice: User) -> None:
    browser = staff("view_user", "change_user")
    dana = User.objects.get(username="dana")
    form = {"username": "alice", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert browser.post(page_of(alice), form).status_code == 302
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser) == (False, False)
    assert browser.post(page_of(dana), form).status_code == 403


def test_the_accounts_of_operators_are_for_superusers(
    staff: Callable[..., Client], charlie: User, client: Client
) -> None:
    browser = staff("view_user", "change_user", "delete_user")
    before = charlie.password
    for page in (reverse("admin:auth_user_password_change", args=[charlie.pk]), page_of(charlie, "delete")):
        assert browser.post(page, {"password1": "a" * 20, "password2": "a" * 20, "post": "yes"}).status_code == 403
    assert User.objects.get(pk=charlie.pk).password == before
    client.force_login(charlie)
    form = {"username": "dana", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    client.post(page_of(User.objects.get(username="dana")), form)
    assert User.objects.get(username="dana").is_superuser


@pytest.mark.parametrize("path", ["user/", "personaltoken/"])
def test_lists_ask_as_often_for_many_rows_as_for_one(client: Client, charlie: User, alice: User, path: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get(f"/admin/accounts/{path}").status_code == 200
        return len(found)

    client.force_login(charlie)
    make(alice, "first", frozenset({Grant.JOBS_READ}), 1)
    few = queries()
    for number in range(20):
        make(User.objects.create_user(f"person{number}"), "more", frozenset({Grant.JOBS_READ}), 1)
    assert queries() == few


def test_it_speaks_german(alice: User, charlie: User) -> None:
    """The names of our tables, their columns and the kinds of the audit log."""
    browser = Client(headers={"accept-language": "de"})
    browser.force_login(charlie)
    index = browser.get("/admin/").content.decode()
    for name in ("Konten", "Benutzer", "Persönliche Tokens", "Protokoll"):
        assert name in index
    audited = browser.get("/admin/accounts/auditevent/").content.decode()
    for name in ("Wann", "Wer", "Von wo", "angemeldet"):
        assert name in audited
