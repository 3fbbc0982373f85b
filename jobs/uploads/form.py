"""`multipart/form-data` as a stream of events: no part is ever held whole."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_noop
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from jobs.errors import BadUpload
from jobs.uploads.refusals import WrongType

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 50
_BROKEN = gettext_noop("The request is not a well-formed upload. Send the file again.")


@dataclass(frozen=True)
class PartStart:
    name: str
    file_name: str  # empty when the part has none


@dataclass(frozen=True)
class PartData:
    data: bytes


@dataclass(frozen=True)
class PartEnd:
    pass


type Event = PartStart | PartData | PartEnd


class FormReader:
    """Feed it the body; it hands out what is in it. Header floods and broken bodies raise BadUpload."""

    def __init__(self, content_type: str) -> None:
        """Raises WrongType when `content_type` is not that of a form with files."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise WrongType("Send the file as a form (multipart/form-data) with a field named file.")
        self.finished = False
        self._events: list[Event] = []
        self._parts = 0
        self._header_name, self._header_value, self._disposition = b"", b"", b""
        try:
            self._parser = MultipartParser(options[b"boundary"], self._callbacks())
        except FormParserError:
            raise WrongType(_BROKEN) from None

    def feed(self, data: bytes) -> list[Event]:
        """The events that this piece of the body completes, in order."""
        self._events = []
        try:
            self._parser.write(data)
        except FormParserError:
            raise BadUpload(_BROKEN) from None
        return self._events

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value_piece,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BadUpload("The form has more than %(count)s fields.", count=MAX_PARTS)
        self._header_name, self._header_value, self._disposition = b"", b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value_piece(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name, self._header_value = b"", b""

    def _headers_finished(self) -> None:
        # The values come back as the bytes that were sent; browsers and scripts send UTF-8.
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise BadUpload(_BROKEN)
        name = options[b"name"].decode(errors="replace")
        self._events.append(PartStart(name, options.get(b"filename", b"").decode(errors="replace")))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(PartData(data[start:end]))

    def _part_end(self) -> None:
        self._events.append(PartEnd())

    def _end(self) -> None:
        self.finished = True
