"""schemathesis over the OpenAPI document, all its checks: no 500, no status and no answer that is not described."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts import personal
from accounts.grants import Grant
from accounts.models import User
from jobs.models import Job
from jobs.states import RunState
from transcribe.serving import Server

# No schema can say which cursors this server made, or which models its workers hold: 400 is an answer to valid data.
CONFIG = """
[generation]
allow-extra-parameters = false
[checks.positive_data_acceptance]
expected-statuses = ["2XX", "304", "400", "401", "403", "404", "409", "410", "423", "429"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "429"]
[checks.missing_required_header]
expected-statuses = ["400", "401", "403", "412", "415", "422"]
[[operations]]
include-path = "/api/v1/upload"
[operations.checks.negative_data_rejection]
enabled = false
"""  # 412 is what tus says to a missing Tus-Resumable; a header that nobody knows is no fault in HTTP
# All fields of a form are text on the wire, so what the tool takes for another type arrives as good text.
HOOKS = """
import schemathesis

@schemathesis.serializer("application/offset+octet-stream")
def piece(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
"""
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("signed_in", [True, False])
def test_the_document_is_true(
    server: Server, alice: User, make_job: Callable[..., Job], tmp_path: Path, signed_in: bool
) -> None:
    for _ in range(5):
        make_job(alice, state=RunState.SUCCEEDED)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "pieces.py").write_text(HOOKS)
    token = personal.make(alice, "script", frozenset(Grant), 1)[1]
    run = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/api/v1/openapi.json"]
    settings = ["--max-examples", "10", "--seed", "1", "--no-color", "--generation-database", "none"]
    apart = ["--exclude-path-regex", "/events$"]  # a stream ends only with its run
    header = ["--header", f"Authorization: Bearer {token}"] if signed_in else []
    done = subprocess.run(
        [*run, *settings, *apart, *header],
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "pieces"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
