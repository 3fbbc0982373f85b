"""What browsers play: media types by FFmpeg's names of what the decode child found. Standard library only.

The list holds what Chromium, Firefox and Safari of today all play and find places in; all else gets a rendition.
"""

AUDIO = {
    "mp3": ("audio/mpeg", {"mp3"}),
    "mov": ("audio/mp4", {"aac"}),  # mp4, m4a, mov, 3gp are one demuxer; Apple's lossless codec plays in Safari alone
    "aac": ("audio/aac", {"aac"}),
    "ogg": ("audio/ogg", {"opus", "vorbis"}),  # Safari from 18.4 on
    "webm": ("audio/webm", {"opus", "vorbis"}),
    "flac": ("audio/flac", {"flac"}),
    "wav": ("audio/wav", {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le"}),
}
VIDEO = {
    "mov": ("video/mp4", {"h264", "vp9", "av1"}),
    "webm": ("video/webm", {"vp8", "vp9", "av1"}),
}
RENDITION = "audio/mpeg"  # of what `worker.rendition` makes
UNKNOWN = "application/octet-stream"
HEADS = (  # (place, bytes): for recordings kept before their container was noted
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (4, b"ftyp", "audio/mp4"),
    (0, b"OggS", "audio/ogg"),
    (0, b"\x1aE\xdf\xa3", "audio/webm"),
    (0, b"fLaC", "audio/flac"),
    (8, b"WAVE", "audio/wav"),
)
HEAD_BYTES = 16


def media_type(container: str, codec: str, picture: str) -> str | None:
    """The type under which browsers play this sound and picture ("" for none); None when some browser cannot."""
    sound, codecs = AUDIO.get(container, ("", set()))
    if codec not in codecs:
        return None
    if not picture:
        return sound
    film, pictures = VIDEO.get(container, ("", set()))
    return film if picture in pictures else None


def type_by_head(head: bytes) -> str | None:
    """What the first 16 bytes look like; None where they look like nothing that browsers play."""
    return next((kind for place, magic, kind in HEADS if head[place:].startswith(magic)), None)
