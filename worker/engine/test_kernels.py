"""Where compiled code is kept. What it computes is tested with those who call it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.engine import machine

LOOK = "from worker.engine import kernels; print(len(kernels.soften.stats.cache_hits))"


def loaded(look: str = LOOK, **told: str) -> str:
    environment = machine.environment(1) | told
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=machine.ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_the_next_process_finds_it_in_the_folder_given_and_nowhere_else(tmp_path: Path) -> None:
    assert [loaded(NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)] == ["0", "1"]
    assert loaded() == "0"
    assert not list(Path(__file__).parent.rglob("kernels.*.nbi"))
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_instructions_are_as_wide_as_the_processor_has_them() -> None:
    """Also of one for which LLVM prefers others."""
    if "avx512f" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("This processor has none of 512 bits.")
    wide = "from worker.engine import kernels; print('zmm' in str(kernels.soften.inspect_asm()))"
    assert loaded(wide, NUMBA_CPU_NAME="cascadelake") == "True"
