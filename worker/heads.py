"""What the first bytes of a recording say, before FFmpeg looks at it. Hints for wording, never limits."""

import os
from typing import BinaryIO

MAGIC = (b"OggS", b"fLaC", b"ID3", b"\x1aE\xdf\xa3", b"FORM", b"caff", b"FLV\x01", b"#!AMR", b"0&\xb2u\x8ef", b"RF64")
MP3 = (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa")
BOXES = (b"ftyp", b"moov", b"mdat", b"wide")
UNKNOWN_SIZE = 0x7FFF_0000  # what recorders write when they do not know the size yet, and anything above


def looks_like_media(head: bytes) -> bool:
    """Whether a file FFmpeg cannot open was meant to be a recording (damaged), from its first 16 bytes."""
    riff = head.startswith(b"RIFF") and head[8:12] in (b"WAVE", b"AVI ")
    return riff or head.startswith(MAGIC + MP3) or head[4:8] in BOXES


def missing_share(file: BinaryIO) -> float:
    """How much longer than the file its RIFF header says it is: 2.0 if cut in half, 1.0 if whole."""
    head = file.read(8)
    size = file.seek(0, os.SEEK_END)  # fstat may go by a call that the sandbox refuses
    file.seek(0)
    stated = int.from_bytes(head[4:8], "little") + 8
    return stated / size if head.startswith(b"RIFF") and size < stated < UNKNOWN_SIZE else 1.0


def is_webm(file: BinaryIO) -> bool:
    """Whether a Matroska file keeps to what WebM allows: its head names the document's type."""
    head = file.read(64)
    file.seek(0)
    return b"\x42\x82\x84webm" in head


def mp3_states_length(file: BinaryIO) -> bool:
    """Whether an MP3's first frame counts the frames; without that FFmpeg guesses the length from the bit rate."""
    head = file.read(10)
    if head.startswith(b"ID3"):  # four bytes of seven bits each: the size of the tag
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
        file.seek(size + 10)
        head = b""
    head += file.read(2048)
    file.seek(0)
    return b"Xing" in head or b"Info" in head
