import pytest

from jobs.errors import BadUpload
from jobs.uploads.form import MAX_PARTS, Event, FormReader, PartData, PartEnd, PartStart
from jobs.uploads.refusals import WrongType
from transcribe.serving import BOUNDARY, ending, field_part, file_part

CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def read(body: bytes, piece: int) -> tuple[list[Event], bool]:
    reader = FormReader(CONTENT_TYPE)
    events = [event for start in range(0, len(body), piece) for event in reader.feed(body[start : start + piece])]
    return events, reader.finished


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_form_comes_out_the_same_however_it_arrives(piece: int) -> None:
    content = b"\r\n--a-boundary-of-our-ow\r\n" * 3  # almost a boundary
    events, finished = read(field_part("language", "de") + file_part("ü.mp3") + content + ending(), piece)
    assert finished
    assert [e for e in events if not isinstance(e, PartData)] == [
        PartStart("language", ""),
        PartEnd(),
        PartStart("file", "ü.mp3"),
        PartEnd(),
    ]
    assert b"".join(e.data for e in events if isinstance(e, PartData)) == b"de" + content


def test_a_form_that_stops_early_is_not_finished() -> None:
    assert read(file_part() + b"half", 1 << 20)[1] is False


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "text/plain; boundary=x"],
)
def test_other_types_are_refused(content_type: str) -> None:
    with pytest.raises(WrongType):
        FormReader(content_type)


def test_a_boundary_that_is_too_long_is_refused() -> None:
    with pytest.raises(WrongType):
        FormReader("multipart/form-data; boundary=" + "x" * 1000)


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all",
        f"--{BOUNDARY}\r\n".encode() + b"X-Flood: y\r\n" * 1000,
        f"--{BOUNDARY}\r\nX-Long: ".encode() + b"y" * 100_000,
        f"--{BOUNDARY}\r\nContent-Type: audio/mpeg\r\n\r\nx".encode() + ending(),
        b"".join(field_part("a", "b") for _ in range(MAX_PARTS + 1)),
    ],
    ids=["no boundary", "many headers", "long header", "no name", "many parts"],
)
def test_broken_bodies_and_floods_are_refused(body: bytes) -> None:
    with pytest.raises(BadUpload):
        read(body, 4096)
