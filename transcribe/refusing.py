"""For tests: a program for which the kernel answers some calls otherwise, as an older or poorer machine would."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker import landlock

ROOT = Path(__file__).resolve().parent.parent
CALLS = {  # by architecture
    "x86_64": {"link": 86, "linkat": 265, "flock": 73, "create_ruleset": 444, "restrict_self": 446},
    "aarch64": {"linkat": 37, "flock": 32, "create_ruleset": 444, "restrict_self": 446},
}
ERRNO = 0x00050000
END = "\0"
START = "import django; django.setup(); import sys; from transcribe.refusing import go; go(*sys.argv[1:])"


def run(program: str, cases: Sequence[Mapping[str, int]], **given: str) -> list[str]:
    """What the program prints in each case: calls and the error numbers that they get; 0: they seem to work."""
    done = subprocess.run(
        [sys.executable, "-c", START, program, *(json.dumps(dict(errors)) for errors in cases)],
        cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return [said.strip() for said in done.stdout.split(END)[:-1]]


def go(program: str, *cases: str) -> None:
    """In the process of `run`: each case in a child of its own, because what is refused stays refused."""
    for errors in cases:
        child = os.fork()
        if not child:
            answer(json.loads(errors))
            exec(program)  # noqa: S102 - a test's own
            print(END, end="", flush=True)
            os._exit(0)
        os.waitpid(child, 0)


def answer(errors: Mapping[str, int]) -> None:
    """From now on this process gets these numbers from these calls, which do nothing."""
    steps = [(landlock.LOAD_WORD, 0, 0, 0)]
    for name, number in CALLS[platform.machine()].items():
        if name in errors:
            steps += [(landlock.JUMP_IF_EQUAL, 0, 1, number), (landlock.RETURN, 0, 0, ERRNO | errors[name])]
    landlock.promise()
    landlock.install([*steps, (landlock.RETURN, 0, 0, landlock.ALLOW)])
