"""What benchmarks print: where they ran, tables, and last a line of figures with their goals."""

import importlib.metadata
import io
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


class Both(io.TextIOBase):
    """What is printed, kept as well."""

    def __init__(self, kept: io.StringIO) -> None:
        self._kept, self._shown = kept, sys.stdout

    def write(self, text: str) -> int:
        self._kept.write(text)
        return self._shown.write(text)


@dataclass(frozen=True)
class Goal:
    """A figure and what it must reach: at least `bound`, or at most. NaN reaches nothing."""

    name: str
    found: float
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.found <= self.bound if self.at_most else self.found >= self.bound

    def __str__(self) -> str:
        missed = "" if self.met else ", MISSED"
        return f"{self.name} {self.found:.4g} (goal {'<=' if self.at_most else '>='} {self.bound:g}{missed})"


def verdict(goals: Sequence[Goal]) -> int:
    """Print the last line; the exit code: 1 where a goal was missed."""
    print("; ".join(map(str, goals)), flush=True)
    return 0 if all(goal.met for goal in goals) else 1


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their longest cell; numbers to the right."""
    cells = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        first, *others = [(cell, width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]), flush=True)


def place(*packages: str) -> None:
    """Print the processor, the load of the machine and the versions of what is compared."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{name}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}")
    print(", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages), flush=True)
