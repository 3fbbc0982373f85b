"""Reads a recording nobody vouches for and gives its sound: one channel, signed 16 bit. Only PyAV and numpy.

Lives inside the decode child. Whatever PyAV raises on such bytes is a fact about the bytes, so errors are counted, not
passed on; what came before a damaged place is kept, and so is what comes after it, where the demuxer can go on.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

from worker.heads import is_webm, looks_like_media, missing_share, mp3_states_length
from worker.timeline import TIMED, Timeline

type Samples = NDArray[np.int16]
type SoundPacket = Packet[AudioStream]
RATE = 16_000
# Formats are the lock against playlists (concat, hls, dash, sdp open other files, even from a file object); protocols
# are the second one. Few decoders: pictures and video are never decoded, and rare codecs are where the holes are.
FORMATS = "wav,mp3,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,amr,aiff,caf,w64,mpegts,mpeg,avi,asf,flv"
CODECS = (
    "aac,aac_latm,ac3,eac3,dca,alac,flac,mp1float,mp2float,mp3float,mp1,mp2,mp3,opus,vorbis,speex,amrnb,amrwb,gsm,gsm_ms,"
    "wmav1,wmav2,wmapro,wmalossless,wmavoice,nellymoser,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,adpcm_swf,pcm_u8,pcm_s8,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_mulaw,"
    "pcm_alaw,pcm_dvd,pcm_bluray"
)
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "codec_whitelist": CODECS}
TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")
# Formats whose header states the length instead of guessing it from the bit rate or the size of the file.
EXACT = {"flac", "mov", "aiff", "matroska", "webm", "wav"}
STREAMS, CHANNELS, RATES = 1000, 64, range(1_000, 768_001)
READ_FAILURES, DECODE_FAILURES = 20, 1000  # in a row; then the rest counts as unreadable
COVER = Disposition.attached_pic
OPPOSED = 0.05  # a mix this weak beside its loudest channel: the channels cancel each other


class SoundError(Exception):
    """A recording that gives no sound."""


class Refusal(SoundError):
    """The recording cannot be read; `reason` is a key of the parent's table of sentences."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Recording:
    """An opened recording: its first readable sound track, at `rate` samples a second.

    `errors` places could not be decoded, `lost` seconds went with them; `stopped` says that the rest could not be
    read; `unpacked` counts the bytes of decoded sound. All grow while `blocks` is read.
    """

    def __init__(self, file: BinaryIO, rate: int = RATE) -> None:
        self.rate = rate
        self.errors, self.lost, self.stopped, self.unpacked = 0, 0.0, False, 0
        self._failures = 0
        self._shape: tuple[int, str, str] | None = None
        self._resampler: AudioResampler | None = None
        self._waiting: list[Samples] = []
        self._held = 0  # samples in those; counted again for each frame, they would cost a tenth of the decoding
        self._missing_share, self._mp3_states_length = missing_share(file), mp3_states_length(file)
        self._is_webm = is_webm(file)
        self._container = _open(file)
        self._stream = _first_sound(self._container)
        self._codec = self._stream.codec_context
        self._codec.thread_count = 1  # the sandbox starts no threads
        self._timeline = Timeline() if self.container in TIMED else None

    @property
    def container(self) -> str:
        """FFmpeg's name, and `webm` for those files of its `matroska` that say so: browsers play no others."""
        name = str(self._container.format.name).split(",")[0]
        return "webm" if name == "matroska" and self._is_webm else name

    @property
    def picture(self) -> str:
        """The codec of the moving pictures; empty where there are none: the cover of a record is not meant."""
        films = [track for track in self._container.streams.video if not track.disposition & COVER]
        return _codec_name(films[0]) if films else ""

    @property
    def codec(self) -> str:
        return str(self._codec.codec.canonical_name)

    @property
    def declared(self) -> float | None:
        """The length in seconds the header states, where a header states it; a hint, never a limit."""
        if not (self._mp3_states_length if self.container == "mp3" else self.container in EXACT):
            return None
        if self._stream.duration is not None:
            return float(self._stream.duration * self._stream.time_base) * self._missing_share
        alone = len(self._container.streams) == 1  # else the length may be that of the pictures
        return self._container.duration / av.time_base if alone and self._container.duration else None

    def blocks(self) -> Iterator[Samples]:
        """All sound in order, about a second at a time."""
        for packet in self._packets():
            for frame in self._decode(packet):
                yield from self._convert(frame)
            if self._failures >= DECODE_FAILURES:
                self.stopped = True
                break
        for frame in self._decode(None):  # what the decoder still held back
            yield from self._convert(frame)
        yield from self._drain()

    def _packets(self) -> Iterator[SoundPacket]:
        failures = 0
        while failures < READ_FAILURES:
            try:
                for packet in self._container.demux(self._stream):
                    failures = 0
                    if packet.size:  # the empty one says "flush", and comes again after each failure
                        yield packet
                return
            except MemoryError:  # FFmpeg says so when streams are added without end
                raise Refusal("too_many_streams") from None
            except (av.FFmpegError, ValueError, OverflowError):
                failures += 1
        self.stopped = True

    def _decode(self, packet: SoundPacket | None) -> list[AudioFrame]:
        try:
            frames: list[AudioFrame] = self._codec.decode(packet)
        except Exception:
            self._count(packet)
            return []
        self._failures = 0 if frames else self._failures
        return frames

    def _count(self, packet: SoundPacket | None) -> None:
        self._failures += 1
        if packet is not None and any(tag in bytes(packet) for tag in TAGS):
            return  # the title of a joined file, not sound
        self.errors += 1
        if packet is not None and packet.duration and packet.time_base:
            self.lost += min(10.0, max(0.0, float(packet.duration * packet.time_base)))

    def _convert(self, frame: AudioFrame) -> Iterator[Samples]:
        yield from self._pause_before(frame)
        shape = (frame.sample_rate, frame.layout.name, frame.format.name)
        if shape != self._shape:  # joined files change rate or channels in mid-stream; a resampler takes one shape
            yield from self._drain()
            self._resampler, self._shape = _resampler(frame, self.rate), shape
        self.unpacked += frame.samples * frame.layout.nb_channels * frame.format.bytes
        frame.pts = None  # it is in its place by now, and a resampler stumbles over times that jump
        try:
            self._keep(frame)
        except Exception:
            self._count(None)
        if self._held >= self.rate:
            yield self._mixed()

    def _pause_before(self, frame: AudioFrame) -> Iterator[Samples]:
        """Silence where the file has none, in pieces, so that the limits see it grow."""
        if self._timeline is None or not frame.sample_rate:
            return
        pause = self._timeline.silence_before(frame.time, frame.samples / frame.sample_rate)
        left = round(pause * self.rate)
        if left:
            yield from self._drain()
            self._resampler = self._shape = None  # a drained one takes no more
        while left:
            size = min(left, self.rate)
            left -= size
            yield np.zeros(size, np.int16)

    def _keep(self, frame: AudioFrame | None) -> None:
        if self._resampler is None:
            return
        for out in self._resampler.resample(frame):
            # The frame's own memory, which the array keeps: PyAV's `to_ndarray` copies it twice.
            part = np.frombuffer(out.planes[0], np.int16, out.samples * out.layout.nb_channels)
            self._waiting.append(part.reshape(-1, out.layout.nb_channels))
            self._held += out.samples

    def _drain(self) -> Iterator[Samples]:
        self._keep(None)
        if self._waiting:
            yield self._mixed()

    def _mixed(self) -> Samples:
        waiting, self._waiting, self._held = self._waiting, [], 0
        return mix(np.concatenate(waiting))


def mix(channels: Samples) -> Samples:
    """One channel from (samples, channels): their mean, or the loudest where they cancel each other out.

    Phone and interview recorders write right = -left; the mean of that is silence.
    """
    if channels.shape[1] == 1:
        return channels[:, 0]
    wide = channels.astype(np.float32)
    mean = wide.mean(axis=1)
    power = np.square(wide).mean(axis=0)
    if np.square(mean).mean() < OPPOSED * power.max():
        return np.ascontiguousarray(channels[:, int(power.argmax())])
    return np.rint(mean).astype(np.int16)


def _open(file: BinaryIO) -> Any:
    head = file.read(16)
    file.seek(0)
    try:
        container = av.open(file, options=OPTIONS, buffer_size=1 << 18)
    except MemoryError:
        raise Refusal("too_many_streams") from None
    except Exception:
        raise Refusal("corrupt" if looks_like_media(head) else "not_media") from None
    if len(container.streams) >= STREAMS:
        raise Refusal("too_many_streams")
    if not len(container.streams):
        raise Refusal("corrupt" if looks_like_media(head) else "not_media")
    return container


def _first_sound(container: Any) -> Any:
    tracks = container.streams.audio
    if not tracks:
        raise Refusal("no_audio")
    known = CODECS.split(",")
    readable = [track for track in tracks if track.codec_context and track.codec_context.codec.name in known]
    if not readable:
        raise Refusal("unknown_codec")
    return readable[0]


def _codec_name(track: Any) -> str:
    return str(track.codec_context.codec.canonical_name) if track.codec_context else "unknown"


def _resampler(frame: AudioFrame, rate: int) -> AudioResampler:
    channels = frame.layout.nb_channels
    if frame.sample_rate not in RATES or not 1 <= channels <= CHANNELS:
        raise Refusal("corrupt")
    named = "channels" not in frame.layout.name  # FFmpeg cannot fold "16 channels" of unknown places into two
    layout = "mono" if channels == 1 else "stereo" if named else frame.layout.name
    return AudioResampler(format="s16", layout=layout, rate=rate, threads=1)
