"""Signing in at a provider: who becomes whom, what groups give and take, and which answers change nothing."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts import personal, provider
from accounts.checks import sign_in_settings
from accounts.conftest import Person
from accounts.grants import Grant
from accounts.models import PersonalToken, Session, User
from accounts.people import person_of
from accounts.testing.lying import OTHER_KEY, Liar, public, told


def anna() -> User:
    return User.objects.get(subject="anna-1")


def test_the_first_sign_in_makes_the_account_and_the_next_finds_it(liar: Liar, person: Person) -> None:
    liar.person |= {"name": "Anna Ash", "given_name": "Anna", "family_name": "Ash", "email": "anna@example.org"}
    asked = person.start("/oidc/start/?next=/upload")
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert asked["redirect_uri"] == "http://testserver/oidc/callback/"
    assert len(asked["state"]) >= 32
    assert len(asked["nonce"]) >= 32
    assert person.back()["Location"] == "/upload"
    user = anna()
    assert (user.username, user.issuer, user.get_full_name()) == ("anna", liar.issuer, "Anna Ash")
    assert not user.has_usable_password()
    assert not user.is_staff
    liar.person |= {"email": "new@example.org", "preferred_username": "renamed"}
    assert Person(liar).sign_in().status_code == 302
    assert (anna().email, anna().username) == ("new@example.org", "anna")
    row = Session.objects.filter(user=user).latest("signed_in_at")
    assert row.provider_session == "session-1"


def test_nobody_is_known_by_name_or_address(liar: Liar, person: Person, alice: User, charlie: User) -> None:
    User.objects.filter(pk=charlie.pk).update(email="charlie@example.org")
    liar.person |= {"preferred_username": "Charlie", "email": "charlie@example.org", "email_verified": True}
    person.sign_in()
    assert person.client.session["_auth_user_id"] == str(anna().pk)
    assert anna().username == "Charlie-2"
    assert not anna().is_staff


def test_the_same_subject_of_another_issuer_is_another_person(liar: Liar, person: Person) -> None:
    other = User.objects.create_user("old", issuer="https://another.example/", subject="anna-1")
    person.sign_in()
    assert person.client.session["_auth_user_id"] != str(other.pk)


def test_rights_come_and_go_with_groups(liar: Liar, settings: Any) -> None:
    settings.OIDC_STAFF_GROUPS, settings.OIDC_SUPERUSER_GROUPS = ["operators"], ["admins"]
    for groups, staff, superuser in [
        ([], False, False),
        (["operators"], True, False),
        (["admins", "others"], True, True),
        (["others"], False, False),
        (["admins"], True, True),
        ("admins", False, False),
        (None, False, False),
        ([["admins"], {"admins": 1}, None], False, False),
    ]:
        liar.person["groups"] = groups
        Person(liar).sign_in()
        assert (anna().is_staff, anna().is_superuser) == (staff, superuser), groups


def test_without_named_groups_the_administration_decides(liar: Liar, person: Person) -> None:
    person.sign_in()
    User.objects.filter(subject="anna-1").update(is_staff=True)
    Person(liar).sign_in()
    assert anna().is_staff


def test_who_leaves_the_allowed_group_loses_everything_at_the_next_sign_in(liar: Liar, settings: Any) -> None:
    settings.OIDC_ALLOWED_GROUPS = ["transcribe-users"]
    stranger = Person(liar)
    answer = stranger.sign_in()
    assert answer.status_code == 403
    assert "transcribe-users" in answer.content.decode()
    assert not User.objects.filter(subject="anna-1").exists()
    liar.person["groups"] = ["transcribe-users"]
    member = Person(liar)
    member.sign_in()
    assert member.client.get("/account/").status_code == 200
    User.objects.filter(subject="anna-1").update(is_staff=True)
    personal.make(anna(), "script", frozenset({Grant.JOBS_READ}), 1)
    liar.person["groups"] = ["others"]
    assert Person(liar).sign_in().status_code == 403
    assert member.client.get("/account/").status_code == 302
    assert PersonalToken.objects.filter(revoked_at=None).count() == 0
    assert not anna().is_staff


def test_disabled_here_is_disabled(liar: Liar, person: Person) -> None:
    person.sign_in()
    User.objects.filter(subject="anna-1").update(is_active=False)
    assert person.client.get("/account/").status_code == 302
    answer = Person(liar).sign_in()
    assert answer.status_code == 403
    assert "switched off" in answer.content.decode()


@pytest.mark.parametrize(
    "claims",
    [
        {"preferred_username": 42, "name": ["x"], "email": {"x": 1}, "groups": 7},
        {"preferred_username": "x" * 5000, "name": "y" * 5000, "email": "z" * 5000 + "@example.org"},
        {"preferred_username": "a\0b", "name": "a\0b\ud800", "email": "a\0@b.org", "given_name": "\u202eevil"},
        {"preferred_username": "<script>", "name": "<img src=x onerror=alert(1)>", "email": "<x>"},
        {"preferred_username": "", "name": None},
        {"preferred_username": "///"},
        {"sid": "\ud800"},
        {"sid": 7},
    ],
)
def test_odd_claims_still_make_an_account(liar: Liar, person: Person, claims: dict[str, Any]) -> None:
    liar.person |= claims
    assert person.sign_in().status_code == 302
    assert anna().username
    anna().full_clean(exclude=["password"])
    assert b"<img" not in person.client.get("/account/").content


@pytest.mark.parametrize(
    "query",
    [
        {"error": "access_denied"},
        {"error": "access_denied", "state": "made up"},
        {"error": "access_denied", "state": ""},
        {"code": "x", "state": "made up"},
        {"code": "x"},
        {"state": "x"},
        {},
        {"code": "x\0", "state": "\0"},
        {"error": "<script>alert(1)</script>", "error_description": "<script>alert(1)</script>"},
    ],
)
def test_links_from_anywhere_change_no_session(liar: Liar, person: Person, query: dict[str, str]) -> None:
    person.sign_in()
    before = dict(person.client.session)
    for client in (person.client, Client()):
        answer = client.get("/oidc/callback/", query)
        assert answer.status_code == 400
        assert b"<script>alert" not in answer.content
    assert dict(person.client.session) == before
    assert person.client.get("/account/").status_code == 200


def test_an_answer_works_once_and_only_in_the_browser_that_asked(liar: Liar, person: Person) -> None:
    person.start()
    thief = Person(liar)
    assert thief.back().status_code == 400
    assert not thief.signed_in
    assert person.back().status_code == 302
    assert person.back().status_code == 400
    assert person.signed_in


def test_an_answer_of_another_provider_is_refused(liar: Liar, person: Person) -> None:
    person.start()
    assert person.back(iss="https://another.example/").status_code == 400
    person.start()
    assert person.back(iss=liar.issuer).status_code == 302


def test_a_declined_sign_in_is_said_and_leaves_the_session(liar: Liar, person: Person, alice: User) -> None:
    person.client.force_login(alice)
    person.start()
    answer = person.client.get("/oidc/callback/", {"error": "access_denied", "state": liar.asked["state"]})
    assert answer.status_code == 403
    assert "You are still signed in as alice" in answer.content.decode()
    assert person.client.session["_auth_user_id"] == str(alice.pk)


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "\t//evil"]
)
def test_it_leads_to_no_other_site(person: Person, wanted: str) -> None:
    person.start("/oidc/start/?" + "next=" + wanted.replace("\\", "%5C").replace("\t", "%09"))
    assert person.back()["Location"] == "/"


def test_the_session_changes_its_key_at_sign_in(person: Person) -> None:
    person.start()
    before = person.client.cookies["sessionid"].value
    person.back()
    assert person.client.cookies["sessionid"].value != before
    assert not Session.objects.filter(session_key=before).exists()


def test_the_password_form_does_not_reach_the_provider(liar: Liar, person: Person, settings: Any) -> None:
    settings.LOCAL_LOGIN = True
    person.start()
    answer = person.client.post(f"/sign-in/?code=x&state={liar.asked['state']}", {"username": "a", "password": "b"})
    assert answer.status_code == 200
    assert "token" not in liar.seen


def test_keys_that_rotate_are_fetched_again(liar: Liar, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    import jwt

    person.sign_in()
    liar.lies["jwks"] = told({"keys": [public(OTHER_KEY, kid="two")]})
    liar.sign = lambda claims, headers: jwt.encode(claims, OTHER_KEY, "RS256", headers={**headers, "kid": "two"})
    assert Person(liar).sign_in().status_code == 302
    liar.headers = {"kid": "three"}
    liar.sign = None
    fetched = liar.seen.count("jwks")
    for _ in range(3):
        assert Person(liar).sign_in().status_code == 502
    assert liar.seen.count("jwks") == fetched  # unknown keys do not make us ask again and again
    assert provider.COOL_SECONDS >= 30


def test_the_sign_in_page_has_one_button(person: Person, settings: Any) -> None:
    settings.OIDC_PROVIDER_NAME = "Example ID"
    page = person.client.get("/sign-in/?next=/upload").content.decode()
    assert "Continue with Example ID" in page
    assert "/oidc/start/?next=/upload" in page
    assert 'type="password"' not in page


def test_the_administration_goes_to_the_provider_but_not_in_circles(liar: Liar, person: Person) -> None:
    answer = person.client.get("/admin/login/?next=/admin/jobs/job/")
    assert answer["Location"] == "/oidc/start/?next=/admin/jobs/job/"
    person.sign_in()
    assert person.client.get("/admin/login/?next=/admin/")["Location"] == "/sign-in/?next=/admin/"
    assert "who may not open that page" in person.client.get("/sign-in/?next=/admin/").content.decode()


@pytest.mark.django_db
def test_without_a_provider_there_are_no_doors(client: Client) -> None:
    assert client.get("/oidc/start/").status_code == 404
    assert client.get("/oidc/callback/?code=x&state=y").status_code == 404
    assert client.post("/oidc/backchannel-logout/").status_code == 404


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"OIDC_ISSUER": "id.example.org"}, ["OIDC_ISSUER is no web address."]),
        ({"OIDC_ISSUER": "http://id.example.org/"}, ["OIDC_ISSUER is not https."]),
        ({"OIDC_ISSUER": "https://id.example.org/"}, []),
        ({"OIDC_ISSUER": "http://auth.localhost:9000/application/o/transcribe/"}, []),
        ({}, ["Nobody can sign in."]),
        ({"LOCAL_LOGIN": True}, []),
        ({"LOCAL_LOGIN": True, "OIDC_STAFF_GROUPS": ["x"]}, ["OIDC_..._GROUPS name groups of no provider."]),
    ],
)
def test_settings_that_cannot_be_meant_are_said(settings: Any, changes: dict[str, Any], said: list[str]) -> None:
    settings.LOCAL_LOGIN = False
    for name, value in changes.items():
        setattr(settings, name, value)
    assert [message.msg for message in sign_in_settings()] == said


@pytest.mark.django_db(transaction=True)
def test_two_first_sign_ins_at_once_make_one_account() -> None:
    together = Barrier(4)

    def come(_number: int) -> int:
        together.wait(10)
        try:
            return person_of("https://id.example.org/", "anna-1", {"preferred_username": "anna"}).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(come, range(4)))
    assert found == set(User.objects.values_list("pk", flat=True))
    assert len(found) == 1
