"""For tests: real Chromium on the real server, signed in, with an ear on its console."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from accounts.models import User
from transcribe.provision import find_browser
from transcribe.screenshots import served


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that server keeps recordings."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def address(django_db_setup: None, stored: Path) -> Iterator[str]:
    with on_test_database(stored) as found:
        yield found


@contextmanager
def on_test_database(stored: Path, **given: str) -> Iterator[str]:
    """The address of a server with these settings; DEBUG gives it static files without collecting them first."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    settings = {"DATABASE_URL": database.geturl(), "MEDIA_ROOT": str(stored), "DEBUG": "true", **given}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        with served() as found:
            yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps a loop of its own in this thread
        yield playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])


@pytest.fixture
def page(chromium: Browser, transactional_db: None, address: str, alice: User) -> Iterator[Page]:
    """Alice's browser; a complaint in its console fails the test."""
    client = Client()
    client.force_login(alice)
    context = chromium.new_context(base_url=address)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: note(complaints, said))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not complaints, "; ".join(complaints)


def note(complaints: list[str], said: ConsoleMessage) -> None:
    left_early = "closed before the connection is established" in said.text  # a page left while its socket opened
    if said.type in ("error", "warning") and not left_early:
        complaints.append(said.text)


def listen(page: Page, path: str) -> None:
    """Open a page and wait until its socket is open: from then on nothing that is announced is missed."""
    page.goto(path)
    page.locator("html[data-live=on]").wait_for()
