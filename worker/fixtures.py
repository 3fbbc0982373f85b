"""Makers of media files for tests: real encoders, nothing stored."""

import io
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

LAYOUTS = {1: "mono", 2: "stereo", 4: "4.0", 6: "5.1"}
KINDS = {  # what people upload: FFmpeg's container and codec, rate, channels
    "mp3": ("mp3", "mp3", 44_100, 2),
    "m4a": ("ipod", "aac", 48_000, 2),
    "aac": ("adts", "aac", 44_100, 1),
    "opus": ("ogg", "libopus", 48_000, 1),
    "flac": ("flac", "flac", 44_100, 2),
    "wav": ("wav", "pcm_s16le", 16_000, 1),
    "surround.wav": ("wav", "pcm_s24le", 48_000, 6),
    "webm": ("webm", "libopus", 48_000, 2),
    "aiff": ("aiff", "pcm_s16be", 44_100, 2),
    "caf": ("caf", "pcm_s16le", 22_050, 1),
    "ts": ("mpegts", "aac", 48_000, 2),
}


def tone(seconds: float, rate: int, channels: int = 1, seed: int = 7) -> NDArray[np.int16]:
    """A hum with some noise, the same in all channels: (samples, channels)."""
    times = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 300, len(times))
    line = (8000 * np.sin(2 * np.pi * 220 * times) + noise).astype(np.int16)
    return np.repeat(line[:, None], channels, axis=1)


def encode(sound: NDArray[np.int16], container: str, codec: str, rate: int, **options: str) -> bytes:
    """A whole file from (samples, channels)."""
    with tempfile.NamedTemporaryFile() as file:  # by name: moving an mp4's index to its front reads the file again
        with av.open(file.name, "w", format=container, options=options) as output:
            _write_sound(output, _add_sound(output, codec, rate, sound.shape[1]), sound)
        return Path(file.name).read_bytes()


def recording(kind: str, seconds: float = 3.0) -> bytes:
    """A file of one of `KINDS`."""
    container, codec, rate, channels = KINDS[kind]
    return encode(tone(seconds, rate, channels), container, codec, rate)


def video(
    seconds: float = 2.0, *, sound: bool, container: str = "mp4", picture: str = "mpeg4", codec: str = "aac"
) -> bytes:
    """A small film with pictures, and with or without a sound track."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        pictures = output.add_stream(picture, rate=Fraction(10))
        assert isinstance(pictures, VideoStream)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        track = _add_sound(output, codec, 44_100, 1) if sound else None  # all streams before the first packet
        for index in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index * 5 % 256, np.uint8), "rgb24")
            output.mux(pictures.encode(frame))
        output.mux(pictures.encode(None))
        if track:
            _write_sound(output, track, tone(seconds, 44_100))
    return file.getvalue()


def with_pause(container: str, codec: str, *, sound: float, pause: float) -> bytes:
    """`sound` seconds, and between their halves `pause` seconds of which nothing is written but the later times."""
    file = io.BytesIO()
    whole = io.BytesIO(encode(tone(sound, 48_000), "matroska", codec, 48_000))
    with av.open(whole, "r") as source, av.open(file, "w", format=container) as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.pts is None or packet.time_base is None:
                continue
            if packet.pts * packet.time_base >= sound / 2:
                packet.pts = packet.dts = packet.pts + round(pause / packet.time_base)
            packet.stream = stream
            output.mux(packet)
    return file.getvalue()


def amr(seconds: float) -> bytes:
    """What old phones record. PyAV cannot write it: the frames hold bits by chance, which sound like a brook."""
    bits = np.random.default_rng(3)
    frames = (b"\x3c" + bits.bytes(31) for _ in range(round(seconds * 50)))  # 20 ms of 12.2 kbit/s in each
    return b"#!AMR\n" + b"".join(frames)


def many_tracks(count: int) -> bytes:
    """A matroska file with a second of sound on the first of its tracks and nothing on the others."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska", options={"max_streams": "5000"}) as output:
        first, *_ = [_add_sound(output, "pcm_s16le", 16_000, 1) for _ in range(count)]
        _write_sound(output, first, tone(1.0, 16_000))
    return file.getvalue()


def with_cover(mp3: bytes) -> bytes:
    """The mp3 with a (broken) picture in front of it."""
    picture = b"\0image/png\0\3\0" + b"\x89PNG\r\n\x1a\n" + bytes(5000)
    frame = b"APIC" + _seven_bits(len(picture)) + b"\0\0" + picture
    return b"ID3\4\0\0" + _seven_bits(len(frame)) + frame + mp3


def _seven_bits(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def playlist(kind: str, target: str) -> bytes:
    """A text that tells FFmpeg to open another file."""
    return {
        "m3u": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\na=control:{target}\n",
        "dash": f'<?xml version="1.0"?><MPD><Period><AdaptationSet><Representation><BaseURL>{target}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>",
    }[kind].encode()


def _add_sound(output: OutputContainer, codec: str, rate: int, channels: int) -> AudioStream:
    stream = output.add_stream(codec, rate=rate)
    assert isinstance(stream, AudioStream)
    stream.layout = LAYOUTS[channels]
    if codec.startswith("wma"):
        stream.bit_rate = 64_000  # it has no default
    return stream


def _write_sound(output: OutputContainer, stream: AudioStream, sound: NDArray[np.int16]) -> None:
    for start in range(0, len(sound), 4096):
        part = np.ascontiguousarray(sound[start : start + 4096].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(part, "s16", stream.layout.name)
        frame.rate, frame.pts = stream.rate, start
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
