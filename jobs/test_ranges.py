"""Range headers as RFC 9110 has them, and as nobody should send them."""

import pytest

from jobs.ranges import Bytes, Unsatisfiable, asked


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", (0, 499)),
        ("bytes=500-999", (500, 999)),
        ("bytes=0-0", (0, 0)),
        ("bytes=999-999", (999, 999)),
        ("bytes=500-", (500, 999)),
        ("bytes=0-", (0, 999)),
        ("bytes=-500", (500, 999)),
        ("bytes=-1", (999, 999)),
        ("bytes=-5000", (0, 999)),
        ("bytes=900-5000", (900, 999)),
        ("bytes=0-" + "9" * 5000, (0, 999)),
        ("bytes=-" + "9" * 5000, (0, 999)),
        ("bytes=" + "0" * 50 + "5-" + "0" * 50 + "6", (5, 6)),
        ("Bytes= 3-4 ", (3, 4)),
    ],
)
def test_one_range(header: str, expected: tuple[int, int]) -> None:
    found = asked(header, 1000)
    assert found == Bytes(*expected)
    assert len(found) == expected[1] - expected[0] + 1


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_a_range_without_a_byte(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        asked(header, 1000)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=1-2,5-6",
        "bytes=0-0,-1",
        "bytes=--5",
        "bytes=+1-2",
        "bytes=1 -2",
        "bytes=1-2\n",
        "bytes=\u0661-\u0662",  # digits to Python, not to HTTP
        "items=0-5",
        "0-5",
    ],
)
def test_anything_else_asks_for_the_whole_file(header: str | None) -> None:
    assert asked(header, 1000) is None
