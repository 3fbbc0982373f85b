"""The password door: who gets in, who waits, and what is closed where local login is off."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts import throttle
from accounts.models import User

RIGHT = {"username": "alice", "password": "alice has a long password"}
WRONG = {"username": "alice", "password": "a wrong guess"}


@pytest.fixture(autouse=True)
def _forget() -> None:
    cache.clear()


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_right_password_leads_to_the_page_that_was_asked_for(client: Client, alice: User) -> None:
    asked = client.get("/upload")
    assert asked.status_code == 302
    assert asked["Location"] == "/sign-in/?next=/upload"
    answer = client.post("/sign-in/?next=/upload", RIGHT)
    assert (answer.status_code, answer["Location"]) == (302, "/upload")
    assert signed_in(client)


def test_it_leads_to_no_other_site(client: Client, alice: User) -> None:
    assert client.post("/sign-in/", {**RIGHT, "next": "https://elsewhere.example/"})["Location"] == "/"


def test_a_wrong_password_is_a_sentence(client: Client, alice: User) -> None:
    answer = client.post("/sign-in/", WRONG)
    assert "do not match" in answer.content.decode()
    assert not signed_in(client)


def test_after_ten_wrong_ones_even_the_right_one_waits(client: Client, alice: User) -> None:
    for _ in range(throttle.TRIES):
        assert "do not match" in client.post("/sign-in/", WRONG).content.decode()
    assert "Wait 15 minutes" in client.post("/sign-in/", {**RIGHT, "username": "ALICE "}).content.decode()
    assert not signed_in(client)


def test_only_that_name_from_that_address_waits(client: Client, alice: User, bob: User) -> None:
    for _ in range(throttle.TRIES):
        client.post("/sign-in/", WRONG)
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    elsewhere.post("/sign-in/", RIGHT)
    client.post("/sign-in/", {"username": "bob", "password": "bob has a long password"})
    assert signed_in(elsewhere)
    assert signed_in(client)


def test_the_right_password_forgets_the_wrong_ones(client: Client, alice: User) -> None:
    for _ in range(2):
        for _ in range(throttle.TRIES - 1):
            client.post("/sign-in/", WRONG)
        client.post("/sign-in/", RIGHT)
        assert signed_in(client)
        client.post("/sign-out/")


def test_where_local_login_is_off_there_is_no_form_and_no_post(client: Client, alice: User, settings: Any) -> None:
    settings.LOCAL_LOGIN = False
    assert "password" not in re.findall(r'name="(\w+)"', client.get("/sign-in/").content.decode())
    assert client.post("/sign-in/", RIGHT).status_code == 404
    assert not signed_in(client)


def test_the_administration_has_no_password_form_of_its_own(client: Client, charlie: User) -> None:
    answer = client.get("/admin/login/?next=/admin/jobs/job/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/admin/jobs/job/")
    form = {"username": "charlie", "password": "charlie has a long password"}
    assert client.post("/admin/login/", form).status_code == 302
    assert not signed_in(client)


def test_signing_out_is_a_post(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/sign-out/").status_code == 405
    assert signed_in(client)
    client.post("/sign-out/")
    assert not signed_in(client)


def test_a_forged_form_is_refused_with_a_page(alice: User) -> None:
    answer = Client(enforce_csrf_checks=True).post("/sign-in/", RIGHT)
    assert answer.status_code == 403
    assert "open for too long" in answer.content.decode()
