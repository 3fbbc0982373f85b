"""The web server as production runs it, with its collected static files, and a real browser in front of it."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from transcribe.embedded import assets
from transcribe.embedded.ports import free_port
from transcribe.provision import find_browser
from transcribe.serving import Server, running_server, serve, server, unused_port

__all__ = ["running_server", "server", "unused_port"]
Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def serve_pages(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """serve_pages(NAME="value", ...) -> a server with these settings beside the usual ones."""
    folder = tmp_path_factory.mktemp("pages")
    assets.collect(folder / "static", os.environ | {"DATA_DIR": str(folder)})
    with ExitStack() as running:

        def start(**settings: str) -> Server:
            settings = {"DATA_DIR": str(folder), **settings}
            found: AbstractContextManager[Server] = serve(folder / "media", free_port(), settings)
            return running.enter_context(found)

        yield start


@pytest.fixture(scope="session")
def pages_server(serve_pages: Serve) -> Server:
    return serve_pages(RETENTION_DAYS="30")  # so that pages show all that they can


@pytest.fixture
def site(pages_server: Server, transactional_db: None, settings: Any) -> Server:
    """The server, for a test whose rows it can see."""
    settings.MEDIA_ROOT = pages_server.media
    return pages_server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps a loop of its own in this thread
        yield playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
