"""The owner and a stranger, each with a client of the resumable door."""

import pytest

from accounts.models import User
from transcribe.resuming import Tus
from transcribe.serving import Server, sign_in


@pytest.fixture
def tus(server: Server, alice: User) -> Tus:
    for path in server.files():
        path.unlink()
    return Tus(sign_in(server, alice))


@pytest.fixture
def stranger(server: Server, bob: User) -> Tus:
    return Tus(sign_in(server, bob))
