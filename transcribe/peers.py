"""The reference tus client and server, in Node: `benchmarks/tus`, installed from its lock when it is not yet."""

import subprocess
from pathlib import Path

from transcribe.embedded import places
from transcribe.embedded.node import find_node

FOLDER = places.CHECKOUT / "benchmarks" / "tus"


def command(script: str, *arguments: object) -> tuple[list[str], dict[str, str]]:
    """How to run a script of that folder: the command line and its environment. Raises RuntimeError without Node."""
    node = find_node()
    if not (FOLDER / "node_modules" / "tus-js-client").exists():
        _install([*node.npm, "ci", "--no-audit", "--no-fund"], node.environment())
    return [str(Path(node.path) / "node"), str(FOLDER / script), *map(str, arguments)], node.environment()


def _install(line: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(line, cwd=FOLDER, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`npm ci` failed in {FOLDER.name}: {done.stderr.strip()[-500:]}")
