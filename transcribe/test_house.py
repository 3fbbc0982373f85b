"""The house rules that an import can break: who may load what, in a fresh process."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "whisper", "av", "onnxruntime"}

SETUP = "import django; django.setup(); "
WEB = SETUP + "import transcribe.asgi, transcribe.urls"
LOOKS = SETUP + "from transcribe.preflight.looks import looks; list(looks({role!r}, gpu=False))"
PARENT = SETUP + "import worker.management.commands.worker"


@pytest.mark.parametrize(
    ("loads", "forbidden"),
    [
        pytest.param(WEB, HEAVY | {"temporalio", "numpy"}, id="the web process"),
        pytest.param(LOOKS.format(role="web"), HEAVY | {"temporalio", "numpy"}, id="preflight of the web process"),
        pytest.param(LOOKS.format(role="worker"), HEAVY, id="preflight of a worker"),
        pytest.param(PARENT, HEAVY, id="the worker's parent"),
        pytest.param("import worker.workflows", HEAVY | {"django", "jobs", "accounts", "numpy"}, id="the workflow"),
        pytest.param("import worker.media", HEAVY | {"django", "jobs", "temporalio"}, id="media"),
        pytest.param("import worker.engine.slots", HEAVY | {"django", "jobs", "temporalio"}, id="engine slots"),
        pytest.param("import worker.plan", HEAVY | {"django", "jobs", "temporalio"}, id="the window plan"),
        pytest.param("import jobs.states", HEAVY | {"django", "temporalio"}, id="the table of states"),
    ],
)
def test_what_a_process_loads(loads: str, forbidden: set[str]) -> None:
    code = f"import sys; {loads}; print(*{{name.split('.')[0] for name in sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) & forbidden == set()
