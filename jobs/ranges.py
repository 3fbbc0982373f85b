"""The Range header of RFC 9110, section 14: which bytes of a file are asked for."""

import re
from dataclasses import dataclass

ONE_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.ASCII | re.IGNORECASE)
DIGITS = 18  # no file has more bytes than this many digits say; Python itself refuses to read thousands of them


class Unsatisfiable(Exception):
    """No byte of the file is in the range."""


@dataclass(frozen=True)
class Bytes:
    """From `first` up to and including `last`."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def asked(header: str | None, size: int) -> Bytes | None:
    """The one range of a file of `size` bytes, cut to it; None: the whole file is to be sent. Raises Unsatisfiable.

    What is no range at all, another unit, and several ranges at once count as not asked: RFC 9110 allows it for all
    three, media elements never send them, and many small parts of one file are an old way to wear a server out.
    """
    found = ONE_RANGE.fullmatch(header or "")
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        wanted = min(_number(suffix), size)
        return _within(size - wanted, size - 1)
    start, end = _number(first), _number(last) if last else size - 1
    if last and end < start:
        return None
    return _within(start, min(end, size - 1))


def _within(first: int, last: int) -> Bytes:
    if first > last:
        raise Unsatisfiable
    return Bytes(first, last)


def _number(digits: str) -> int:
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= DIGITS else 10**DIGITS
