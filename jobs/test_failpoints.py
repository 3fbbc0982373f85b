"""An armed place acts at its pass, once, and in another process just as well."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.failpoints import Action, Point, Reached, arm, is_armed, reach


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.FAILPOINTS = str(tmp_path)
    return tmp_path


def test_the_nth_pass_of_that_place_raises_once(folder: Path) -> None:
    arm(folder, Point.HEARD, nth=3, action=Action.RAISE)
    for other in Point:
        if other is not Point.HEARD:
            reach(other)
    for _ in range(2):
        reach(Point.HEARD)
    assert is_armed(folder, Point.HEARD)
    with pytest.raises(Reached, match="heard"):
        reach(Point.HEARD)
    reach(Point.HEARD)
    assert not is_armed(folder, Point.HEARD)


@pytest.mark.parametrize(("action", "number"), [(Action.KILL, signal.SIGKILL), (Action.FREEZE, signal.SIGSTOP)])
def test_a_place_ends_or_freezes_its_process(folder: Path, action: Action, number: signal.Signals) -> None:
    arm(folder, Point.PLANNED, action=action)
    code = (
        "from django.conf import settings; "
        f"settings.configure(FAILPOINTS={str(folder)!r}); "
        "from jobs.failpoints import Point, reach; reach(Point.PLANNED); print('on')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        if action is Action.FREEZE:
            os.waitid(os.P_PID, child.pid, os.WSTOPPED)
            child.send_signal(signal.SIGCONT)
        said, _ = child.communicate(timeout=60)
    assert (child.returncode, said) == ((-number, "") if action is Action.KILL else (0, "on\n"))
    assert not is_armed(folder, Point.PLANNED)


def test_every_place_is_in_the_code(folder: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    code = "".join(
        path.read_text()
        for room in ("jobs", "worker")
        for path in root.glob(f"{room}/**/*.py")
        if "test_" not in path.name
    )
    assert [point for point in Point if code.count(f"reach(Point.{point.name})") != 1] == []
