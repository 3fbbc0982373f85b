"""For tests: completes uploads, each in a process that is killed one line later than the one before. Then asks again.

`python -m transcribe.dying UPLOAD...` prints as JSON where each died, "the end" once the last line was reached.
"""

import json
import os
import signal
import sys
from types import CodeType
from typing import Any

import django
from django.db.backends.base.base import BaseDatabaseWrapper

TOOL = sys.monitoring.DEBUGGER_ID
END = "the end"


def main(keys: list[str]) -> int:
    django.setup()
    places: list[str] = []
    for lines, key in enumerate(keys, 1):
        places.append(_die(key, lines))
        if END in places:
            break
    _in_child(lambda: _complete(*keys[: len(places)]))
    print(json.dumps(places))
    return 0 if END in places else 1


def _die(key: str, lines: int) -> str:
    """Complete the upload in a child that is killed when it comes to this many lines; the one it came to."""
    reader, writer = os.pipe()
    left = [lines]

    def count(code: CodeType, line: int) -> None:
        left[0] -= 1
        if not left[0]:
            os.write(writer, f"{code.co_qualname} {line}".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def watched() -> None:
        sys.monitoring.use_tool_id(TOOL, "dying")
        sys.monitoring.register_callback(TOOL, sys.monitoring.events.LINE, count)
        for code in _watched():
            sys.monitoring.set_local_events(TOOL, code, sys.monitoring.events.LINE)
        _complete(key)

    _in_child(watched)
    os.close(writer)
    with os.fdopen(reader) as said:
        return said.read() or END


def _watched() -> list[CodeType]:
    from jobs.services import submit
    from jobs.uploads import resume, store

    functions: list[Any] = [resume.settle, store.complete, submit.submit, submit._make, submit.put_in]
    functions += [getattr(BaseDatabaseWrapper, name) for name in ("commit", "_commit", "run_and_clear_commit_hooks")]
    return [getattr(function, "__wrapped__", function).__code__ for function in functions]


def _complete(*keys: str) -> None:
    """What a HEAD does."""
    from jobs.models import Upload
    from jobs.uploads import resume

    for known in Upload.objects.filter(pk__in=keys).select_related("owner"):
        upload, writer = resume.reopen(known.owner, known.pk)
        if writer is not None:
            upload = resume.settle(writer)
            writer.close()
        assert upload.job is not None


def _in_child(work: Any) -> None:
    """Forked: the parent has no connection and no thread."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) > 0:
        raise RuntimeError("An upload could not be completed; the lines above say why.")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transcribe.settings")
    sys.exit(main(sys.argv[1:]))
