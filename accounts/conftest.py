"""The provider that can lie, told to the settings, and a browser that signs in at it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client

from accounts import provider
from accounts.testing.lying import CLIENT_ID, CLIENT_SECRET, Liar, lying


@pytest.fixture
def liar(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Liar]:
    """A fresh one for each test, so that nothing of an earlier one is kept: what is kept goes by address."""
    monkeypatch.setattr(provider, "SECONDS", 2.0)
    with lying() as found:
        settings.OIDC_ISSUER = found.issuer
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
        settings.LOCAL_LOGIN = False
        yield found


class Person:
    """A browser in front of the lying provider."""

    def __init__(self, liar: Liar, client: Client | None = None) -> None:
        self.liar, self.client = liar, client or Client()

    def start(self, path: str = "/oidc/start/") -> dict[str, str]:
        """What the browser carries to the provider, which remembers it."""
        answer = self.client.get(path)
        assert answer.status_code == 302, answer.content
        self.liar.asked = dict(parse_qsl(urlsplit(answer["Location"]).query))
        return self.liar.asked

    def back(self, **query: str) -> Any:
        return self.client.get("/oidc/callback/", {"code": "code", "state": self.liar.asked.get("state", ""), **query})

    def sign_in(self) -> Any:
        self.start()
        return self.back()

    @property
    def signed_in(self) -> bool:
        return "_auth_user_id" in self.client.session


@pytest.fixture
def person(liar: Liar) -> Person:
    return Person(liar)
