"""What people upload, through the real decode child: it ends as samples or as a sentence, and nothing stays behind."""

import struct
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from worker import media
from worker.fixtures import KINDS, encode, many_tracks, playlist, recording, tone, video, with_cover, with_pause

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "worker" / "demo" / "samples" / "english.mp3"
DAY = 86_400.0


class Desk:
    """A folder with one recording in it, and what decoding it leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source, self.samples, self.speech = folder / "upload", folder / "run.pcm", folder / "run.speech"

    def read(self, content: bytes, limit_seconds: float = DAY) -> media.Decoded:
        self.source.write_bytes(content)
        return media.decode(self.source, self.samples, self.speech, limit_seconds=limit_seconds)

    def refusal(self, content: bytes, limit_seconds: float = DAY) -> media.MediaRefused:
        with pytest.raises(media.MediaRefused) as caught:
            self.read(content, limit_seconds)
        assert self.left() == ["upload"]
        assert caught.value.detail.endswith(".")
        assert "upload" not in caught.value.detail.split()[0]
        return caught.value

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def sound(self) -> NDArray[np.int16]:
        return np.fromfile(self.samples, np.int16)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_people_upload_is_read(desk: Desk, kind: str) -> None:
    decoded = desk.read(recording(kind, 3.0))
    assert decoded.duration == pytest.approx(3.0, abs=0.06)  # some codecs pad
    assert decoded.warnings == ()
    assert decoded.codec == {"mp3": "mp3", "m4a": "aac", "flac": "flac", "webm": "opus"}.get(kind, decoded.codec)
    sound = desk.sound()
    assert len(sound) == round(decoded.duration * media.RATE)
    loudness = float(np.sqrt(np.square(sound[8000:40_000].astype(float)).mean()))
    assert loudness == pytest.approx(8000 / np.sqrt(2), rel=0.1)
    assert desk.speech.stat().st_size == -(-len(sound) // 512)
    assert desk.left() == ["run.pcm", "run.speech", "upload"]


def test_the_sound_of_a_video_is_read(desk: Desk) -> None:
    assert desk.read(video(sound=True)).duration == pytest.approx(2.0, abs=0.05)


def test_a_cover_picture_is_ignored(desk: Desk) -> None:
    decoded = desk.read(with_cover(recording("mp3", 2.0)))
    assert (decoded.duration, decoded.warnings) == (2.0, ())


def test_many_tracks_are_read_and_a_thousand_refused(desk: Desk) -> None:
    assert desk.read(many_tracks(40)).duration == 1.0
    desk.samples.unlink()
    desk.speech.unlink()
    refusal = desk.refusal(many_tracks(1000))
    assert (refusal.code, "tracks" in refusal.detail) == ("corrupt", True)


def test_a_tone_keeps_its_pitch(desk: Desk) -> None:
    desk.read(recording("m4a", 3.0))
    spectrum = np.abs(np.fft.rfft(desk.sound()[8000:40_000]))
    assert np.argmax(spectrum) * media.RATE / 32_000 == pytest.approx(220, abs=1)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("nothing", b"", "empty"),
        ("text", b"The meeting starts at nine.\n" * 200, "not_media"),
        ("html", b"<!doctype html><title>x</title><audio src=/etc/passwd>" * 50, "not_media"),
        ("picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "not_media"),
        ("archive", b"PK\x03\x04" + bytes(range(256)) * 20, "not_media"),
        ("noise", np.random.default_rng(5).bytes(200_000), "not_media"),
        ("zeros", bytes(100_000), "not_media"),
        ("silent film", video(sound=False), "no_audio"),
        ("head of a wav", recording("wav", 1.0)[:30], "corrupt"),
        ("m4a without its index", recording("m4a", 5.0)[:40_000], "corrupt"),
        ("one sample a second", b"", "corrupt"),
        ("255 channels", b"", "corrupt"),
    ],
)
def test_what_is_no_recording_is_refused_with_a_sentence(desk: Desk, name: str, content: bytes, code: str) -> None:
    odd = {"one sample a second": wav(1, 1), "255 channels": wav(16_000, 255)}
    refusal = desk.refusal(odd.get(name, content))
    assert refusal.code == code
    assert "ffmpeg" not in refusal.detail.lower()


def wav(rate: int, channels: int, size: int | None = None) -> bytes:
    """A wav of our own making, with a header FFmpeg would not write."""
    data = b"\1\2" * channels * 8000
    stated = len(data) if size is None else size
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", min(stated + 36, 0xFFFF_FFFF))
        + b"WAVEfmt "
        + head
        + b"data"
        + struct.pack("<I", stated)
        + data
    )


def test_a_header_of_unknown_length_is_no_damage(desk: Desk) -> None:
    decoded = desk.read(wav(16_000, 1, size=0xFFFF_FFFF))  # what a recorder leaves that was switched off
    assert (decoded.duration, decoded.warnings) == (0.5, ())


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav", "webm", "aiff"])
def test_a_file_cut_in_half_is_read_as_far_as_it_goes(desk: Desk, kind: str) -> None:
    whole = recording(kind, 10.0)
    decoded = desk.read(whole[: len(whole) // 2])
    assert decoded.duration == pytest.approx(5.0, abs=0.3)
    [warning] = decoded.warnings
    assert warning.code == "partial"
    assert f"Only 0:0{round(decoded.duration)} of the 0:10 of this recording" in warning.detail


def test_an_mp4_cut_in_half_is_read_as_far_as_it_goes(desk: Desk) -> None:
    whole = encode(tone(10.0, 44_100), "mp4", "aac", 44_100, movflags="faststart")
    decoded = desk.read(whole[: len(whole) // 2])
    assert 4 < decoded.duration < 6
    assert [warning.code for warning in decoded.warnings] == ["partial"]


@pytest.mark.parametrize(("container", "codec", "warned"), [("adts", "aac", False), ("flac", "flac", True)])
def test_damage_in_the_middle_keeps_both_sides(desk: Desk, container: str, codec: str, warned: bool) -> None:
    whole = bytearray(encode(tone(20.0, 44_100), container, codec, 44_100))
    middle, hole = len(whole) // 2, len(whole) // 20
    whole[middle : middle + hole] = bytes(hole)  # a second of zeros; an adts file does not say what is missing
    decoded = desk.read(bytes(whole))
    assert 18 < decoded.duration < 20
    assert np.abs(desk.sound()[-16_000:]).max() > 4000
    assert ["Only 0:19 of the 0:20" in warning.detail for warning in decoded.warnings] == [True] * warned


def test_frames_that_cannot_be_decoded_are_told(desk: Desk) -> None:
    whole = bytearray(encode(tone(20.0, 44_100), "mp3", "mp3", 44_100, write_xing="0"))
    starts = [place for place in range(len(whole) // 2, len(whole) - 4) if whole[place : place + 2] == b"\xff\xfb"]
    for start in starts[:60]:  # the heads stay, so the demuxer takes these for sound
        whole[start + 4 : start + 200] = b"\xff" * 196
    decoded = desk.read(bytes(whole))
    assert np.abs(desk.sound()[-16_000:]).max() > 4000
    assert ["damaged in places" in warning.detail for warning in decoded.warnings] == [True]


def test_joined_recordings_of_different_rates_are_all_read(desk: Desk) -> None:
    parts = [(44_100, 2), (22_050, 1), (48_000, 2)]
    joined = b"".join(encode(tone(5.0, rate, channels), "mp3", "mp3", rate) for rate, channels in parts)
    decoded = desk.read(joined)
    assert decoded.duration == pytest.approx(15.0, abs=0.3)
    assert decoded.warnings == ()  # titles between the parts are no damage
    spectrum = np.abs(np.fft.rfft(desk.sound()[6 * 16_000 : 8 * 16_000]))
    assert np.argmax(spectrum) / 2 == pytest.approx(220, abs=1)


@pytest.mark.parametrize(
    ("container", "codec"),
    [("webm", "libopus"), ("ogg", "libopus"), ("mp4", "aac"), ("mpegts", "aac"), ("asf", "mp3")],
)
def test_a_pause_that_is_not_in_the_file_keeps_its_time(desk: Desk, container: str, codec: str) -> None:
    decoded = desk.read(with_pause(container, codec, sound=4.0, pause=20.0))
    assert decoded.duration == pytest.approx(24.0, abs=0.3)
    assert decoded.warnings == ()
    sound = np.abs(desk.sound())
    assert sound[: 1 * 16_000].max() > 7000
    assert sound[3 * 16_000 : 21 * 16_000].max() < 100
    assert sound[23 * 16_000 :].max() > 7000
    assert desk.speech.stat().st_size == -(-len(sound) // 512)


def test_a_clock_that_lies_makes_no_hours_of_silence(desk: Desk) -> None:
    mad = desk.read(with_pause("webm", "libopus", sound=4.0, pause=1000 * 3600.0))
    assert mad.duration == pytest.approx(4.0, abs=0.3)
    desk.samples.unlink()
    desk.speech.unlink()
    long = with_pause("webm", "libopus", sound=4.0, pause=3000.0)
    assert desk.refusal(long, limit_seconds=600).code == "too_long"  # silence counts too


def test_channels_that_cancel_out_are_not_silence(desk: Desk) -> None:
    opposed = tone(3.0, 44_100, 2) * np.array([1, -1], np.int16)
    desk.read(encode(opposed, "flac", "flac", 44_100))
    assert np.abs(desk.sound()).max() > 7000


def test_one_silent_channel_takes_nothing_away(desk: Desk) -> None:
    left = tone(3.0, 44_100, 2) * np.array([1, 0], np.int16)
    desk.read(encode(left, "flac", "flac", 44_100))
    assert np.abs(desk.sound()).max() == pytest.approx(4300, rel=0.1)


def test_silence_is_read_and_holds_no_speech(desk: Desk) -> None:
    decoded = desk.read(encode(np.zeros((44_100 * 5, 1), np.int16), "flac", "flac", 44_100))
    assert (decoded.duration, decoded.warnings) == (5.0, ())
    assert np.fromfile(desk.speech, np.uint8).max() < 30


def test_too_long_is_found_while_decoding(desk: Desk) -> None:
    bomb = encode(np.zeros((8000 * 3600, 1), np.int16), "flac", "flac", 8000)
    assert len(bomb) < 8000 * 3600 * 2 / 50  # an hour of nothing in next to nothing
    refusal = desk.refusal(bomb, limit_seconds=600)
    assert refusal.code == "too_long"
    assert "10 min" in refusal.detail


def test_the_limit_itself_is_allowed(desk: Desk) -> None:
    assert desk.read(recording("wav", 3.0), limit_seconds=3.0).duration == 3.0


def test_a_header_is_not_believed(desk: Desk) -> None:
    lying = bytearray(recording("flac", 3.0))
    lying[21:26] = bytes([lying[21] | 0x0F, 0, 0, 16, 0])  # 36 bits: "this holds a few samples" or "billions"
    assert desk.read(bytes(lying)).duration == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("m3u", "path"),
        ("m3u", "file:path"),
        ("concat", "path"),
        ("concat", "file:path"),
        ("sdp", "path"),
        ("dash", "path"),
    ],
)
def test_a_playlist_opens_no_other_file(tmp_path: Path, kind: str, target: str) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    desk = Desk(folder)
    desk.source = folder / "talk.mp3"
    desk.source.write_bytes(playlist(kind, target.replace("path", str(SAMPLE))))
    with pytest.raises(media.MediaRefused) as caught:
        media.decode(desk.source, desk.samples, desk.speech, limit_seconds=DAY)
    assert caught.value.code == "not_media"
    assert desk.left() == ["talk.mp3"]


def test_ffmpeg_itself_would_follow_the_playlist(tmp_path: Path) -> None:
    source = tmp_path / "talk.mp3"  # if this fails the trap is gone, and the test above proves less than it seems
    source.write_bytes(playlist("concat", str(SAMPLE)))
    with source.open("rb") as file, av.open(file, options={"safe": "0"}) as opened:
        assert opened.format.name == "concat"


@pytest.mark.parametrize("seed", range(15))
def test_flipped_bytes_end_as_samples_or_as_a_refusal(desk: Desk, seed: int) -> None:
    chance = np.random.default_rng(seed)
    content = bytearray(recording(list(KINDS)[seed % len(KINDS)], 2.0))
    for place in chance.integers(0, len(content), 4 ** (seed % 4 + 1)):
        content[place] = chance.integers(0, 256)
    try:
        decoded = desk.read(bytes(content), limit_seconds=60)
    except media.MediaRefused:  # any other exception is a failure
        assert desk.left() == ["upload"]
    else:
        assert len(desk.sound()) == round(decoded.duration * media.RATE) > 0


def test_a_missing_file_is_said_as_such(desk: Desk) -> None:
    with pytest.raises(FileNotFoundError):
        media.decode(desk.source, desk.samples, desk.speech, limit_seconds=DAY)
    assert desk.left() == []


def test_the_parent_loads_no_decoder() -> None:
    code = "import sys, worker.media; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"av", "onnxruntime", "torch", "django", "numpy", "whisper"} & set(done.stdout.split())
