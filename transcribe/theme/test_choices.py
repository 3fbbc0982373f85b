"""Light or dark, English or German: chosen without a script, kept in a cookie, known to the first byte of a page."""

import pytest
from django.test import Client

from accounts.models import User


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def choose(client: Client, address: str, **fields: str) -> str:
    answer = client.post(address, fields)
    assert answer.status_code == 302
    return answer.headers["Location"]


def test_pages_follow_the_device_until_told_otherwise(signed_in: Client) -> None:
    assert b"data-theme" not in signed_in.get("/").content
    assert b'content="light dark"' in signed_in.get("/").content
    assert choose(signed_in, "/appearance/", theme="dark", next="/upload") == "/upload"
    assert b'<html lang="en" data-theme="dark">' in signed_in.get("/").content
    assert b'content="dark"' in signed_in.get("/").content
    choose(signed_in, "/appearance/", theme="")
    assert b"data-theme" not in signed_in.get("/").content


@pytest.mark.parametrize("theme", ["purple", '"><script>'])
def test_a_theme_that_is_none_changes_nothing(signed_in: Client, theme: str) -> None:
    signed_in.cookies["theme"] = theme
    assert b"data-theme" not in signed_in.get("/").content
    choose(signed_in, "/appearance/", theme=theme)
    assert b"data-theme" not in signed_in.get("/").content


@pytest.mark.parametrize("there", ["https://example.org/", "//example.org", "javascript:alert(1)", ""])
def test_a_choice_leads_nowhere_else(signed_in: Client, there: str) -> None:
    assert choose(signed_in, "/appearance/", theme="dark", next=there) == "/"


def test_the_pages_speak_german_when_asked(signed_in: Client) -> None:
    assert b'<html lang="de">' in signed_in.get("/", headers={"Accept-Language": "de-AT,de;q=0.9"}).content
    assert choose(signed_in, "/language/", language="de", next="/?q=x") == "/?q=x"
    page = signed_in.get("/").content.decode()
    assert '<html lang="de">' in page
    assert "Aufnahmen" in page
    assert '<button name="language" value="en" lang="en" aria-pressed="false">English</button>' in page
    choose(signed_in, "/language/", language="en", next="/")
    assert b'<html lang="en">' in signed_in.get("/", headers={"Accept-Language": "de"}).content


def test_strangers_choose_too(client: Client, db: None) -> None:
    choose(client, "/language/", language="de", next="/sign-in/")
    choose(client, "/appearance/", theme="dark", next="/sign-in/")
    page = client.get("/sign-in/").content.decode()
    assert '<html lang="de" data-theme="dark">' in page
    assert "Anmelden" in page


def test_choices_need_the_token_of_the_form_and_a_post(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    for address in ("/appearance/", "/language/"):
        assert client.post(address, {"theme": "dark", "language": "de"}).status_code == 403
    assert client.get("/appearance/").status_code == 405
    assert b"data-theme" not in client.get("/").content
