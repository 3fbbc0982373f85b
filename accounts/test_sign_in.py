"""The password door: who gets in, who waits, and what is closed where local login is off."""

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import throttle
from accounts.models import User, WrongPasswords

RIGHT = {"username": "alice", "password": "alice has a long password"}
WRONG = {"username": "alice", "password": "a wrong guess"}


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


def test_after_the_wait_it_begins_anew(client: Client, alice: User, bob: User) -> None:
    for _ in range(throttle.TRIES):
        client.post("/sign-in/", WRONG)
    WrongPasswords.objects.update(ends_at=timezone.now())
    client.post("/sign-in/", {"username": "bob", "password": "a wrong guess"})
    assert WrongPasswords.objects.count() == 1  # those that ran out went
    client.post("/sign-in/", RIGHT)
    assert signed_in(client)


@pytest.mark.django_db(transaction=True)
def test_all_web_processes_count_together(alice: User) -> None:
    """Each thread has a connection of its own, as each process has; all begin at once, with the first wrong one."""
    together = threading.Barrier(throttle.TRIES)

    def guess() -> None:
        try:
            together.wait(timeout=30)
            Client().post("/sign-in/", WRONG)
        finally:
            connection.close()

    with ThreadPoolExecutor(throttle.TRIES) as people:
        for done in [people.submit(guess) for _ in range(throttle.TRIES)]:
            done.result()
    assert WrongPasswords.objects.get().count == throttle.TRIES
    code = (
        "import django; django.setup()\n"
        "from django.test import RequestFactory\n"
        "from accounts.throttle import throttled\n"
        "print(throttled(RequestFactory().get('/'), 'alice'))"
    )
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    other = {**os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "transcribe.settings"}
    asked = subprocess.run([sys.executable, "-c", code], env=other, capture_output=True, text=True, check=True)
    assert asked.stdout == "True\n"


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
