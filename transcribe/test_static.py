"""Static files as the ASGI application serves them; a plain iterator would be a warning, so an error here."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.test import AsyncClient

from transcribe.static import PIECE

CONTENT = os.urandom(2 * PIECE + 1)


@pytest.fixture
def file(settings: Any, tmp_path: Path) -> Path:
    """A collected file, served at /static/big.bin."""
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = False
    (tmp_path / "big.bin").write_bytes(CONTENT)
    return tmp_path / "big.bin"


async def ask(method: str = "get", **headers: str) -> Any:
    return await getattr(AsyncClient(), method)("/static/big.bin", headers=headers)


def is_open(file: Path) -> bool:
    return any(os.path.realpath(descriptor) == str(file) for descriptor in Path("/proc/self/fd").iterdir())


async def test_a_file_goes_out_in_pieces_and_is_closed(file: Path) -> None:
    answer = await ask()
    assert is_open(file)
    pieces = [piece async for piece in answer]
    assert [len(piece) for piece in pieces] == [PIECE, PIECE, 1]
    assert b"".join(pieces) == CONTENT
    assert answer["Content-Length"] == str(len(CONTENT))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert not is_open(file)


async def test_a_file_nobody_waits_for_is_closed(file: Path) -> None:
    answer = await ask()
    answer.close()
    assert not is_open(file)


async def test_what_a_browser_has_is_not_sent_again(file: Path) -> None:
    answer = await ask(if_none_match=(await ask("head"))["ETag"])
    assert (answer.status_code, answer.content) == (304, b"")
    assert "Content-Type" not in answer


async def test_a_part_and_the_head_alone(file: Path) -> None:
    part = await ask(range="bytes=10-19")
    assert (part.status_code, [piece async for piece in part]) == (206, [CONTENT[10:20]])
    head = await ask("head")
    assert (head.content, head["Content-Length"]) == (b"", str(len(CONTENT)))
    assert (await ask("post")).status_code == 405


async def test_other_paths_are_djangos(file: Path) -> None:
    answer = await AsyncClient().get("/static/missing.bin")
    assert answer.status_code in (302, 404)


async def test_files_straight_from_their_folders() -> None:
    answer: Any = await AsyncClient().get("/static/js/live.js")
    assert b"".join([piece async for piece in answer]).startswith(b"//")
