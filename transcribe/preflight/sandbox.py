"""The decode child's two locks: a process is shut in here as the decode child is, and then tries to get out."""

import subprocess
import sys
from collections.abc import Iterator

from django.conf import settings

from transcribe.preflight.findings import Finding, failed, ok, warning
from worker import landlock
from worker.leashed import ENVIRONMENT, ROOT

SECONDS = 30
SHUT, OPEN = "shut", "open"
# Each lock alone, so that the other does not hide that one does not hold: Landlock keeps files, the filter calls.
TRY = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from worker import landlock

def free(way):
    try:
        way()
    except OSError:
        return False
    return True

landlock.promise()
landlock.refuse_files()
files = free(lambda: open("/proc/self/status").close())
landlock.refuse_calls()
os.write(1, b"open" if files or free(lambda: socket.socket().close()) else b"shut")
"""


def decode_child() -> Iterator[Finding]:
    say = warning if settings.EMBEDDED else failed
    if problem := landlock.problem():
        yield say(
            problem, "Use Linux 5.13 or newer with `landlock` in /sys/kernel/security/lsm, and Docker 23 or newer."
        )
        return
    done = subprocess.run(
        [sys.executable, "-I", "-c", TRY, str(ROOT)],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.stdout.strip() == SHUT:
        yield ok(f"Landlock (version {landlock.supported()}) and seccomp shut it in.")
    elif done.stdout.strip() == OPEN:
        yield say("A process that was shut in could still open a file or a socket.", "Use another kernel.")
    else:
        fix = (
            "Let the container's seccomp profile allow Landlock, prctl and seccomp, as Docker's default since 23 does."
        )
        yield say("A process could not shut itself in.", fix)
