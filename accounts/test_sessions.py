"""Sessions as rows that know whose they are: listed, and ended from elsewhere."""

import pytest
from django.test import Client

from accounts.agents import browser_name
from accounts.models import Session, User
from accounts.sessions import digest

LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile/15E148 Safari/604.1"


def browser(name: str, agent: str) -> Client:
    client = Client(headers={"User-Agent": agent})
    client.post("/sign-in/", {"username": name, "password": f"{name} has a long password"})
    return client


def listed(client: Client) -> str:
    return client.get("/account/").content.decode()


def named(client: Client) -> str:
    return digest(client.cookies["sessionid"].value)


def test_the_page_lists_browsers_and_ends_the_others(alice: User) -> None:
    here, phone = browser("alice", LINUX), browser("alice", PHONE)
    page = listed(here)
    assert "Firefox on Linux" in page
    assert "Safari on iPhone" in page
    assert here.cookies["sessionid"].value not in page
    assert phone.cookies["sessionid"].value not in page
    assert here.get(f"/account/sessions/{named(phone)}/end/").status_code == 405
    assert here.post(f"/account/sessions/{named(phone)}/end/").status_code == 302
    assert phone.get("/account/").status_code == 302
    assert "Safari on iPhone" not in listed(here)
    assert here.post(f"/account/sessions/{named(here)}/end/").status_code == 404  # that is what "Sign out" is for


def test_all_others_at_once(alice: User, bob: User) -> None:
    here, phone, strangers = browser("alice", LINUX), browser("alice", PHONE), browser("bob", LINUX)
    assert here.post("/account/sessions/end-others/").status_code == 302
    assert phone.get("/account/").status_code == 302
    assert strangers.get("/account/").status_code == 200
    assert here.get("/account/").status_code == 200


def test_the_sessions_of_others_stay(alice: User, bob: User) -> None:
    here, strangers = browser("alice", LINUX), browser("bob", PHONE)
    assert "iPhone" not in listed(here)
    here.post(f"/account/sessions/{named(strangers)}/end/")
    assert strangers.get("/account/").status_code == 200


def test_the_columns_follow_the_session(alice: User) -> None:
    here = browser("alice", LINUX)
    first = here.cookies["sessionid"].value
    row = Session.objects.get()
    assert (row.user, row.agent, row.provider_session) == (alice, LINUX, "")
    assert row.signed_in_at is not None
    here.post("/account/sessions/end-others/")
    assert here.cookies["sessionid"].value == first
    here.post("/sign-out/")
    assert not Session.objects.exists()


def test_staff_sign_people_out(alice: User, charlie: User) -> None:
    theirs, staff = browser("alice", PHONE), browser("charlie", LINUX)
    chosen = {"action": "end_sessions", "_selected_action": [alice.pk]}
    assert staff.post("/admin/accounts/user/", chosen).status_code == 302
    assert theirs.get("/account/").status_code == 302
    assert staff.get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("agent", "name"), [("", "Unknown browser"), ("curl/8.5", "Unknown browser"), (LINUX[:13], "Unknown browser")]
)
def test_what_is_no_browser_is_said(agent: str, name: str) -> None:
    assert browser_name(agent) == name
