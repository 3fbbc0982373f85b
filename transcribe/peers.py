"""The reference tus client and server, in Node: `benchmarks/tus`, installed from its lock when it is not yet."""

from pathlib import Path

from transcribe.embedded import assets, places
from transcribe.embedded.node import find_node

FOLDER = places.CHECKOUT / "benchmarks" / "tus"


def command(script: str, *arguments: object) -> tuple[list[str], dict[str, str]]:
    """How to run a script of that folder: the command line and its environment. Raises RuntimeError without Node."""
    node = find_node()
    assets.install(FOLDER, node)
    return [str(Path(node.path) / "node"), str(FOLDER / script), *map(str, arguments)], node.environment()
