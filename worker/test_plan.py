"""The plan of windows: properties over random tracks, and the rules one by one."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.services.options import work_of
from worker.plan import FRAME_SECONDS, MARGIN, Window, find_speech, plan, spread, windows_per_batch

ROOT = Path(__file__).resolve().parent.parent
HALF_FRAME = FRAME_SECONDS / 2


def said(probabilities: NDArray[np.uint8]) -> list[tuple[float, float]]:
    """The speech in seconds."""
    spans = [(start * FRAME_SECONDS, end * FRAME_SECONDS) for start, end in find_speech(probabilities)]
    return [(round(start, 3), round(end, 3)) for start, end in spans]


def track(*parts: tuple[float, int]) -> NDArray[np.uint8]:
    """Probabilities from (seconds, level) parts."""
    return np.concatenate([np.full(round(seconds / FRAME_SECONDS), level, np.uint8) for seconds, level in parts])


def random_track(seed: int) -> NDArray[np.uint8]:
    """Speech and pauses of every length that occurs, with flicker and stray clicks."""
    chance = np.random.default_rng(seed)
    longest_speech, longest_pause = chance.choice([2.0, 20.0, 90.0]), chance.choice([0.5, 3.0, 20.0, 900.0])
    parts = []
    for _ in range(chance.integers(0, 120)):
        parts.append((chance.uniform(0, longest_pause), int(chance.integers(0, 70))))
        parts.append((chance.uniform(0.01, longest_speech), int(chance.integers(60, 256))))
    probabilities = track(*parts) if parts else np.zeros(chance.integers(0, 50), np.uint8)
    noise = chance.integers(-60, 60, len(probabilities))
    return np.clip(probabilities.astype(np.int32) + noise, 0, 255).astype(np.uint8)


def planned(seed: int) -> tuple[NDArray[np.uint8], float, list[Window]]:
    probabilities = random_track(seed)
    duration = max(0.0, len(probabilities) * FRAME_SECONDS - 0.01 * (seed % 3))
    return probabilities, duration, plan(probabilities, duration, 2 ** (seed % 4))


@pytest.mark.parametrize("seed", range(60))
def test_windows_cover_speech_exactly(seed: int) -> None:
    probabilities, duration, windows = planned(seed)
    speech = said(probabilities)
    for window, following in pairwise(windows):
        assert window.end <= following.start
    assert all(0 <= window.start < window.end <= min(window.start + 30.0, duration) for window in windows)
    for start, end in speech:  # every moment said lies in one window or in several that touch
        inside = [w for w in windows if w.start < end - HALF_FRAME and w.end > start + HALF_FRAME]
        assert inside[0].start <= start
        assert inside[-1].end >= min(end, duration)
        assert all(a.end == b.start for a, b in pairwise(inside))
    edges = {edge for region in speech for edge in region} | {duration}
    assert windows == [] or {windows[0].start, windows[-1].end} <= edges
    for window in windows:  # nothing but speech at both ends, unless a long speech was cut there
        assert any(start <= window.start < end for start, end in speech)
        assert any(start < window.end <= end or window.end == duration for start, end in speech)


@pytest.mark.parametrize("seed", range(60))
def test_spans_are_whole_batches_of_five_to_ten_minutes_and_shorter_towards_the_end(seed: int) -> None:
    _, _, windows = planned(seed)
    assert [w.span for w in windows] == sorted(w.span for w in windows)
    assert [w.batch for w in windows] == sorted(w.batch for w in windows)
    batches = [[w for w in windows if w.batch == batch] for batch in {w.batch for w in windows}]
    assert all(len({w.span for w in batch}) == 1 and len(batch) <= 2 ** (seed % 4) for batch in batches)
    spans = [[w for w in windows if w.span == span] for span in sorted({w.span for w in windows})]
    assert [span[0].span for span in spans] == list(range(len(spans)))
    for span, following in zip(spans, [*spans[1:], None], strict=True):
        assert span[-1].end - span[0].start <= 600
        if following is not None:  # shorter only where the next window would be too far away
            long_enough = span[-1].end - span[0].start >= min(300, (windows[-1].end - span[0].start) / 4)
            assert long_enough or following[0].end - span[0].start > 600


def test_the_same_track_gives_the_same_plan() -> None:
    assert all(planned(seed)[2] == planned(seed)[2] for seed in (3, 17, 41))
    assert sum(len(planned(seed)[2]) for seed in range(60)) > 500  # the tracks above do say something


def test_speech_gets_a_margin_of_a_fifth_of_a_second() -> None:
    [(start, end)] = said(track((1.6, 2), (3.2, 250), (1.6, 2)))
    assert start == pytest.approx(1.6 - MARGIN * FRAME_SECONDS)
    assert end == pytest.approx(4.8 + MARGIN * FRAME_SECONDS)


def test_hysteresis_keeps_weak_ends_and_drops_what_is_never_sure() -> None:
    assert said(track((1, 0), (2, 100), (1, 0))) == []
    [(start, end)] = said(track((1.6, 0), (0.96, 100), (0.96, 200), (0.96, 100), (1.6, 0)))
    assert end - start == pytest.approx(3 * 0.96 + 2 * MARGIN * FRAME_SECONDS)


def test_a_click_is_not_speech_and_a_breath_does_not_split() -> None:
    assert said(track((1, 0), (0.064, 255), (1, 0))) == []
    assert len(said(track((1, 0), (2, 255), (0.3, 0), (2, 255), (1, 0)))) == 1
    assert len(said(track((1, 0), (2, 255), (0.5, 0), (2, 255), (1, 0)))) == 2


def test_long_speech_is_cut_at_its_quietest_late_place() -> None:
    windows = plan(track((22.4, 250), (0.16, 140), (40, 250)), 62.56, 8)
    assert windows[0].end == pytest.approx(22.48, abs=0.1)
    assert len(windows) == 3


@pytest.mark.parametrize(("pause", "count"), [(4.8, 1), (5.2, 2)])
def test_a_window_bridges_no_pause_of_five_seconds(pause: float, count: int) -> None:
    assert len(plan(track((3, 250), (pause, 1), (3, 250)), 6 + pause, 8)) == count


def test_nothing_said_nothing_planned() -> None:
    assert plan(np.zeros(0, np.uint8), 0.0, 8) == []
    assert plan(track((3600, 20)), 3600.0, 8) == []


@pytest.mark.parametrize(("speed", "size"), [(0.5, 1), (2, 1), (4, 2), (7.9, 2), (8, 4), (16, 8), (1000, 8), (0, 1)])
def test_a_batch_takes_at_most_fifteen_seconds(speed: float, size: int) -> None:
    assert windows_per_batch(speed) == size


@pytest.mark.parametrize(("speed", "beam", "size"), [(8, 1, 4), (8, 2, 2), (16, 5, 4), (26, 5, 8), (26, 8, 4)])
def test_more_hypotheses_make_smaller_batches(speed: float, beam: int, size: int) -> None:
    assert windows_per_batch(speed / work_of(beam)) == size


def test_two_slots_share_twenty_minutes() -> None:
    windows = plan(track(*[(25.0, 240), (1.984, 5)] * 44), 1187.0, 8)
    busy = [0.0, 0.0]
    for span in sorted({window.span for window in windows}):  # whoever is free first takes the next one
        busy[busy.index(min(busy))] += sum(window.end - window.start for window in windows if window.span == span)
    assert sum(busy) / max(busy) > 1.7


def test_a_day_is_planned_to_its_end() -> None:
    day = track(*[(20.0, 240), (1.984, 5)] * 3928)
    windows = plan(day, len(day) * FRAME_SECONDS, 8)
    assert len(windows) == 3928
    assert windows[-1].end == pytest.approx(3928 * 21.984 - 1.984 + MARGIN * FRAME_SECONDS)


def test_plan_loads_numpy_and_nothing_else_of_ours() -> None:
    code = "import sys, worker.plan; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "numpy" in loaded.split()
    assert not {"django", "torch", "av", "onnxruntime", "whisper", "jobs", "transcribe"} & set(loaded.split())


def test_voters_are_spread_over_the_whole_recording() -> None:
    assert spread(range(100)) == [0, 20, 40, 59, 79, 99]
    assert list(spread(range(3))) == [0, 1, 2]
