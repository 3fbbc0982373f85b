"""The island's own tests and types, with the Node and the packages its build uses."""

import subprocess

import pytest

from transcribe.embedded import assets, places
from transcribe.embedded.node import find_node

ISLAND = places.CHECKOUT / "frontend-island"


@pytest.mark.parametrize("script", ["types", "test"])
def test_the_island(script: str) -> None:
    node = find_node()
    assets.install(ISLAND, node, print)
    command = [*node.npm, "run", "--silent", script]
    done = subprocess.run(command, cwd=ISLAND, env=node.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
