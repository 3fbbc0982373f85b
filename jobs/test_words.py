"""What people read: lengths, moments, sizes, and one sentence for every state."""

import pytest

from jobs import words
from jobs.models import Run, RunEvent, Segment
from jobs.progress import Progress
from jobs.services.languages import LANGUAGES
from jobs.states import RunState


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (300, "5 min"), (3570, "1 h"), (3720, "1 h 2 min")],
)
def test_lengths(seconds: float | None, said: str) -> None:
    assert words.length(seconds) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (7.9, "0:07"), (723, "12:03"), (3723, "1:02:03")])
def test_moments(seconds: float, said: str) -> None:
    assert words.clock(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 kB"), (512 << 20, "512 MB"), (1 << 30, "1 GB")],
)
def test_sizes(count: int, said: str) -> None:
    assert words.size(count) == said


@pytest.mark.parametrize(("place", "said"), [(None, ""), (1, "next in line"), (2, "1 before it"), (5, "4 before it")])
def test_places(place: int | None, said: str) -> None:
    assert words.place(Progress(place=place)) == said


def test_a_long_queue_is_not_counted_to_its_end() -> None:
    assert words.place(Progress(place=1001)) == "more than 1000 before it"


@pytest.mark.parametrize("state", list(RunState))
def test_every_state_has_a_word_an_icon_and_a_sentence(state: RunState) -> None:
    run = Run(state=state)
    assert words.state(run)
    assert words.ICONS[state]
    assert words.sentence(run, Progress(), silent=False).endswith(".")


def test_a_running_run_says_what_it_does_how_far_it_is_and_how_long() -> None:
    run = Run(state="running", stage="transcribing")
    said = words.sentence(run, Progress(done=42, total=100, left=180), silent=False)
    assert said == "Writing down what is said: 42 % done, about 3 min left."
    assert words.sentence(Run(state="running", stage="preparing"), Progress(), silent=False) == "Reading the recording."


def test_silence_is_said() -> None:
    run = Run(state="succeeded")
    assert words.sentence(run, Progress(), silent=True) == "No speech was found in this recording."


def test_history_names_the_cause() -> None:
    second = RunEvent(state="running", stage="transcribing", detail="part 2")
    assert words.event(second) == "Writing down what is said"
    assert words.event(RunEvent(state="failed", detail="It has no audio track.")) == "Failed: It has no audio track."
    assert words.event(RunEvent(state="cancelled", reason="cancelled")) == "Cancelled: Stopped by you"
    lost = RunEvent(state="running", stage="transcribing", reason="workflow_lost")
    assert words.event(lost) == "Writing down what is said: Started again after an interruption"
    assert words.event(RunEvent(state="running", stage="preparing")) == "Reading the recording"


def test_every_language_has_a_name() -> None:
    assert words.language("haw") == "Hawaiian"
    assert all(words.language(code)[0].isupper() for code in LANGUAGES)
    assert words.language("tlh") == "Tlh"


@pytest.mark.parametrize("reason", ["missing_file", "language_unknown", "cannot_translate"])
def test_nobody_is_told_to_run_again_what_would_fail_again(reason: str) -> None:
    assert "Run it again" not in words.next_step(Run(state="failed", reason=reason))
    assert "Run it again" in words.next_step(Run(state="failed", reason="internal"))


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({}, ""),
        ({"average_log_probability": -0.3, "no_speech_probability": 0.1, "compression_ratio": 1.4}, ""),
        ({"average_log_probability": -0.9}, "The model was unsure of these words."),
        ({"no_speech_probability": 0.7, "average_log_probability": -0.9}, "There may be no speech here."),
        ({"compression_ratio": 2.5}, "These words repeat themselves. They may not have been said."),
    ],
)
def test_doubts_have_a_reason(scores: dict[str, float], said: str) -> None:
    assert words.doubt(Segment(**scores)) == said


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "0"), (60.0, "60"), (12.3, "12.3"), (4.0625, "4.062")])
def test_moments_in_addresses(seconds: float, said: str) -> None:
    assert words.moment(seconds) == said
