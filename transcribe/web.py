"""How the web process is started, said here alone: `python -m transcribe.web` in the image, and the embedded stack.

Arguments are further options of uvicorn; `--check` (alive?) and `--ready` (with its database, tables and folder?) ask
the running one instead, for health checks.
"""

import http.client
import os
import sys

OPTIONS = [  # of uvicorn
    *("--http", "transcribe.deadlines:Http"),  # a head that never ends, or never comes, is dropped
    "--no-access-log",  # it would hold the sign-in link
    *("--no-server-header", "--log-level", "warning"),
    *("--timeout-graceful-shutdown", "5"),  # open sockets must not hold up the end
    *("--ws-max-size", str(64 << 10)),  # pages have nothing to say
    *("--ws-ping-interval", "20", "--ws-ping-timeout", "20"),  # a browser that vanished without a word is dropped
    *("--ws-per-message-deflate", "false"),  # its state would take most of the memory of an open page
]
PORT, ANSWER_SECONDS = 8000, 4.5
CHECKS = {"--check": "/healthz", "--ready": "/readyz"}


def command(*options: str) -> list[str]:
    """The command line of the web process; `options` come last, so they win."""
    return [sys.executable, "-m", "uvicorn", "transcribe.asgi:application", *OPTIONS, *options]


def answers(port: int = PORT, path: str = CHECKS["--check"]) -> bool:
    """Whether the process on this machine says yes. No proxy is asked, whatever the environment says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    if len(sys.argv) == 2 and sys.argv[1] in CHECKS:
        sys.exit(not answers(path=CHECKS[sys.argv[1]]))
    line = command(*sys.argv[1:])
    os.execv(line[0], line)  # noqa: S606 - so that signals reach uvicorn itself


if __name__ == "__main__":
    main()
