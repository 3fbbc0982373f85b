"""The short form of `poe prove bomb`: forms of 256 MiB that nobody asked for."""

import pytest

from transcribe.bomb import PATHS, throw
from transcribe.serving import Server

pytestmark = pytest.mark.django_db(transaction=True)
MIB = 1 << 20


@pytest.mark.parametrize("told", [True, False], ids=["told", "chunked"])
@pytest.mark.parametrize("path", PATHS)
def test_a_large_anonymous_form_is_refused_almost_unread(server: Server, path: str, told: bool) -> None:
    seen = throw(server.port, server.pid, path, 256 * MIB, told=told)
    print(path, seen)
    assert seen.status in (401, 412, 413)  # tus asks for its version first
    assert seen.read <= MIB
    assert seen.growth <= 16 * MIB
