"""Lines of processes without Django."""

import json
import os
import socket
import subprocess
import sys

PROGRAM = """
import warnings
from worker.engine import child
child.begin_lines({form!r})
warnings.warn("old")
child.logger.info("at work")
raise RuntimeError("and gone")
"""


def said(form: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM.format(form=form)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()


def test_an_engine_child_says_all_in_the_form_of_its_worker_its_own_end_too() -> None:
    warned, worked, ended = (json.loads(line) for line in said("json"))
    assert (warned["logger"], warned["level"]) == ("py.warnings", "warning")
    assert worked["message"] == "at work"
    assert (ended["level"], ended["exception"].endswith("RuntimeError: and gone")) == ("critical", True)
    assert {line["worker"] for line in (warned, worked, ended)} == {f"{socket.gethostname()}:{os.getpid()}"}


def test_people_get_text() -> None:
    assert [line for line in said("text") if line.endswith("INFO worker.engine.child: at work")]
