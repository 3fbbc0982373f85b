"""Live pages over the real web server: the handshake on the wire, and a change from another process."""

from collections.abc import Callable

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from accounts.models import User
from jobs.live import announce
from jobs.models import Job
from transcribe.serving import Server, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(server: Server, alice: User, make_job: Callable[..., Job]) -> Job:
    return make_job(alice)


def address(server: Server, path: str) -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


def test_a_change_made_elsewhere_reaches_the_page(server: Server, alice: User, job: Job) -> None:
    cookie = {"Cookie": f"sessionid={sign_in(server, alice).session}"}
    origin = f"http://127.0.0.1:{server.port}"
    with connect(address(server, f"/live/{job.pk}/"), origin=Origin(origin), additional_headers=cookie) as page:
        assert 'id="status"' in str(page.recv(timeout=10))
        announce(job.pk)
        assert 'id="status"' in str(page.recv(timeout=10))


def test_refusals_come_before_the_socket_is_open(server: Server, bob: User, job: Job) -> None:
    own = f"http://127.0.0.1:{server.port}"
    bobs = {"Cookie": f"sessionid={sign_in(server, bob).session}"}
    for origin, cookies in [("https://elsewhere.example", bobs), (own, {}), (own, bobs)]:
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(address(server, f"/live/{job.pk}/"), origin=Origin(origin), additional_headers=cookies),
        ):
            pass
        assert refused.value.response.status_code == 403
