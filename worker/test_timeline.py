"""Pauses that a file leaves out: filled where the clock is to be believed, and never for long."""

import pytest

from worker.timeline import BACKWARDS, JITTER, LONGEST, MOST, Timeline


def silences(*times: float | None, length: float = 1.0) -> list[float]:
    line = Timeline()
    return [line.silence_before(time, length) for time in times]


def test_sound_without_pauses_stays_as_it_is() -> None:
    assert silences(0, 1, 2, 3) == [0, 0, 0, 0]
    assert silences(7, 8, 9) == [0, 0, 0]  # where it begins is no pause
    assert silences(None, None, 5, 6) == [0, 0, 0, 0]


def test_a_pause_is_filled_once() -> None:
    assert silences(0, 1, 62, 63, 64) == [0, 0, 60, 0, 0]


def test_uneven_times_do_not_add_up() -> None:
    late = [n + (n % 2) * (JITTER / 2) for n in range(1000)]
    assert sum(silences(*late)) == 0


def test_a_slow_clock_is_followed() -> None:
    """An hour whose sound is half a second shorter than its times say."""
    filled = silences(*(n * (1 + 0.5 / 3600) for n in range(3600)))
    assert sum(filled) == pytest.approx(0.5, abs=JITTER)


def test_a_clock_set_back_begins_anew() -> None:
    assert silences(100, 101, 0, 1, 2, 5) == [0, 0, 0, 0, 0, 2]
    assert silences(0, 1, 2 - BACKWARDS / 2, 3) == [0, 0, 0, 0]


def test_a_clock_that_jumps_too_far_is_not_believed() -> None:
    assert silences(0, 1 + LONGEST, 3 + LONGEST) == [0, LONGEST, 1.0]
    assert silences(0, 2 + LONGEST, 3 + LONGEST, 90_000_000, 90_000_003) == [0, 0, 0, 0, 2]


def test_many_pauses_have_an_end() -> None:
    line = Timeline()
    for number in range(10_000):
        line.silence_before(number * 1000.0, 1.0)
    assert MOST - 1000 < line.filled <= MOST
