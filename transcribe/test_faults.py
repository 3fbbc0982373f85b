"""Things break on a real stack in mid-job, at a number of committed windows and never on a clock. Nothing is lost.

Memory over hours of audio is `poe prove memory`.
"""

import html
import os
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from transcribe.drill import DEMO, SAMPLES, WINDOWS, Drill, long_recording
from transcribe.embedded import places
from worker.demo.listening import word_errors, words
from worker.fixtures import amr, encode

pytestmark = pytest.mark.alone
MINUTES = 120
BUSY_WORKERS = "SELECT 1 FROM jobs_worker WHERE runs <> '[]' AND seen_at > now() - interval '6 seconds'"
SHORT_TIMEOUTS = {"HEARTBEAT_TIMEOUT_SECONDS": "5", "REPAIR_SECONDS": "5", "WORKER_BEAT_SECONDS": "2"}


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHORT_TIMEOUTS.items():
            patch.setenv(name, value)
        drill = Drill(places.scratch())
        drill.start()
        yield drill
        drill.stop()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return long_recording(tmp_path_factory.mktemp("long") / "long.mp3", MINUTES)


def engines(drill: Drill) -> list[psutil.Process]:
    children = psutil.Process(drill.stack.pid("worker")).children(recursive=True)
    return [child for child in children if "worker.engine.child" in child.cmdline()]


def test_three_killed_workers_repeat_only_the_batch_in_flight(drill: Drill, recording: Path) -> None:
    disturbed = drill.upload(recording, title="disturbed.mp3")
    for windows in (20, 60, 120):
        drill.wait_for_windows(disturbed, windows)
        drill.stack.kill("worker")
    assert drill.wait_for_end(disturbed) == ("succeeded", "")
    attempts = drill.attempts(disturbed)
    slots = os.cpu_count() or 1
    print("windows", len(attempts), "handed over again", sum(attempts) - len(attempts))
    assert min(attempts) == 1
    assert sum(attempts) - len(attempts) <= 3 * slots * 8  # a batch holds at most 8 windows, one for each slot
    undisturbed = drill.upload(recording, title="undisturbed.mp3")
    assert drill.wait_for_end(undisturbed) == ("succeeded", "")
    assert set(drill.attempts(undisturbed)) == {1}
    assert drill.text(disturbed) == drill.text(undisturbed)


def test_an_engine_killed_once_is_replaced_and_twice_on_one_part_ends_that_run_alone(
    drill: Drill, recording: Path
) -> None:
    job = drill.upload(long_recording(recording.parent / "engine.mp3", 60))
    drill.wait_for_windows(job, 10)
    kill_an_engine_at_work(drill, job)
    drill.wait_for_windows(job, drill.done_windows(job) + 30)  # it goes on
    assert drill.run(job)[0] == "running"
    for _ in range(5):  # the second engine may be too fast for us
        batch = kill_an_engine_at_work(drill, job)
        if kill_the_engine_that_repeats(drill, job, batch):
            break
    assert drill.wait_for_end(job) == ("failed", "poison")
    assert drill.text(job) != []
    short = drill.upload(long_recording(recording.parent / "short.mp3", 5))
    assert drill.wait_for_end(short) == ("succeeded", "")


def kill_an_engine_at_work(drill: Drill, job: str) -> int:
    """Frozen first, so that a batch is certainly in flight in it; the batch it died on."""
    before = deaths(drill, job)
    frozen = engines(drill)
    for child in frozen:
        child.suspend()
    drill.wait(lambda: len(in_flight(drill, job)) == len(frozen), "a batch in every engine", 60)
    frozen[0].kill()
    for child in frozen[1:]:
        child.resume()
    drill.wait(lambda: deaths(drill, job) != before, "the death to be noticed", 60)
    return max(batch for batch, count in deaths(drill, job) - before)


def kill_the_engine_that_repeats(drill: Drill, job: str, batch: int) -> bool:
    """Kill every engine as soon as the batch is in one again; False when it was done before we came."""
    drill.wait(lambda: batch in in_flight(drill, job) or (batch, 1) not in deaths(drill, job), "the batch again", 120)
    for child in engines(drill):
        child.suspend()
    caught = batch in in_flight(drill, job)
    for child in engines(drill):
        child.kill() if caught else child.resume()
    # Its answer may have left it just before: then the batch is committed, and no death is counted.
    drill.wait(lambda: (batch, 1) not in deaths(drill, job), "the second death, or the batch", 120)
    return (batch, 2) in deaths(drill, job)


def in_flight(drill: Drill, job: str) -> set[int]:
    """Batches handed to an engine and not back."""
    query = f"SELECT DISTINCT w.batch {WINDOWS} AND w.done_at IS NULL AND w.attempts > w.engine_deaths"
    return {row[0] for row in drill.rows(query, job)}


def deaths(drill: Drill, job: str) -> set[tuple[int, int]]:
    """Batches not done that an engine died on, and how often."""
    query = f"SELECT DISTINCT w.batch, w.engine_deaths {WINDOWS} AND w.done_at IS NULL AND w.engine_deaths > 0"
    return {(row[0], row[1]) for row in drill.rows(query, job)}


def test_an_upload_while_temporal_is_away_waits_for_it(drill: Drill) -> None:
    drill.stack.hold("temporal")
    job = drill.upload(SAMPLES / "english.mp3")
    assert drill.run(job)[0] == "queued"
    drill.stack.release("temporal")
    assert drill.wait_for_end(job) == ("succeeded", "")


def test_a_killed_database_only_delays(drill: Drill, recording: Path) -> None:
    job = drill.upload(long_recording(recording.parent / "database.mp3", 30))
    drill.wait_for_windows(job, 10)
    drill.stack.kill("postgres")
    assert drill.wait_for_end(job) == ("succeeded", "")


def test_a_lost_temporal_store_loses_no_run(drill: Drill, recording: Path) -> None:
    half_an_hour = long_recording(recording.parent / "half.mp3", 30)
    jobs = [drill.upload(half_an_hour) for _ in range(2)]
    drill.wait_for_windows(jobs[0], 10)
    drill.stack.hold("temporal")
    assert drill.stack.temporal is not None
    for file in drill.stack.temporal.store.parent.iterdir():
        file.unlink()
    drill.stack.release("temporal")
    drill.wait(lambda: restarts(drill) >= 1, "another workflow", 120)
    assert [drill.wait_for_end(job) for job in jobs] == [("succeeded", "")] * 2


def restarts(drill: Drill) -> int:
    return int(drill.rows("SELECT count(*) FROM jobs_run WHERE restarts = 1")[0][0])


def test_a_cancel_while_temporal_is_away_is_final_and_frees_the_engines(drill: Drill, recording: Path) -> None:
    job = drill.upload(long_recording(recording.parent / "cancelled.mp3", 60))
    drill.wait_for_windows(job, 10)
    drill.stack.hold("temporal")
    drill.press(f"/jobs/{job}/cancel/")
    try:
        assert drill.wait_for_end(job, 60)[0] == "cancelled"
        drill.wait(lambda: drill.rows(BUSY_WORKERS) == [], "idle engines", 60)
        heard = drill.attempts(job)
    finally:
        drill.stack.release("temporal")
    sample = drill.upload(SAMPLES / "german.mp3", language="de")
    assert drill.wait_for_end(sample) == ("succeeded", "")
    assert drill.attempts(job) == heard
    assert drill.run(job)[0] == "cancelled"
    assert drill.text(job) != []


@pytest.mark.parametrize("content", ["#EXTM3U\n#EXTINF:10,\n{path}\n", "ffconcat version 1.0\nfile {path}\n"])
def test_a_playlist_named_as_sound_is_refused_and_reads_nothing(drill: Drill, content: str, tmp_path: Path) -> None:
    victim = SAMPLES / "english.mp3"
    playlist = tmp_path / "talk.mp3"
    playlist.write_text(content.format(path=victim))
    job = drill.upload(playlist)
    assert drill.wait_for_end(job) == ("failed", "not_media")
    assert drill.text(job) == []
    folder = drill.stack.data / "media" / "jobs" / job
    drill.wait(lambda: not folder.exists(), "the file to go", 10)


def test_silence_succeeds_and_says_that_nothing_was_said(drill: Drill, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "silence.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16_000 * 60))
    job = drill.upload(tmp_path / "silence.wav", language="")
    assert drill.wait_for_end(job) == ("succeeded", "")
    assert "No speech was found" in drill.get(f"/jobs/{job}/")


@pytest.mark.parametrize(("spoken", "other", "code"), [("english", "german", "en"), ("german", "english", "de")])
def test_the_language_is_that_of_most_of_it_and_not_that_of_its_first_minutes(
    drill: Drill, tmp_path: Path, spoken: str, other: str, code: str
) -> None:
    """A silent minute, 40 seconds in the other language, two and a half minutes in its own."""
    silence = encode(np.zeros((60 * 16_000, 1), np.int16), "mp3", "libmp3lame", 16_000)
    before, main = ((SAMPLES / f"{name}.mp3").read_bytes() for name in (other, spoken))
    (tmp_path / "mixed.mp3").write_bytes(silence + before[: len(before) * 40 // 300] + main[: len(main) // 2])
    job = drill.upload(tmp_path / "mixed.mp3", language="")
    assert drill.wait_for_end(job) == ("succeeded", "")
    [[language, sure, start]] = drill.rows(
        "SELECT language, language_probability, (SELECT min(start) FROM jobs_segment s WHERE s.run_id = r.id) "
        "FROM jobs_run r WHERE job_id = %s",
        job,
    )
    assert language == code
    assert start > 55
    page = " ".join(drill.get(f"/jobs/{job}/").split())
    assert f"{round(100 * sure)} % sure" in page
    said = set(words((SAMPLES / f"{spoken}.txt").read_text()))
    heard = [word for text in drill.text(job) for word in words(text)]
    assert sum(word in said for word in heard) > 0.6 * len(heard)


def test_what_browsers_cannot_play_is_offered_in_another_form(drill: Drill, tmp_path: Path) -> None:
    (tmp_path / "memo.amr").write_bytes(amr(10.0))
    job = drill.upload(tmp_path / "memo.amr")
    assert drill.wait_for_end(job) == ("succeeded", "")
    facts = "SELECT codec, rendition FROM jobs_job WHERE id = %s"
    drill.wait(lambda: drill.rows(facts, job) == [("amr_nb", "ready")], "the rendition", 120)
    assert f'<audio id="media" preload="metadata" src="/recordings/{job}/media">' in drill.get(f"/jobs/{job}/")


def test_a_recording_cut_short_is_transcribed_as_far_as_it_goes(drill: Drill, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp3"
    whole = (SAMPLES / "english.mp3").read_bytes()
    cut.write_bytes(whole[: len(whole) // 2] + bytes(50_000))
    job = drill.upload(cut)
    assert drill.wait_for_end(job) == ("succeeded", "")
    assert drill.text(job) != []
    [[warnings]] = drill.rows("SELECT warnings FROM jobs_run WHERE job_id = %s", job)
    assert [warning["code"] for warning in warnings] == ["partial"]
    assert warnings[0]["detail"] in html.unescape(drill.get(f"/jobs/{job}/"))


def test_the_terminal_command_uses_the_running_stack(drill: Drill, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for language in ("english", "german"):
        (folder / f"{language}.mp3").write_bytes((SAMPLES / f"{language}.mp3").read_bytes())
    (folder / "notes.mp3").write_text("These are only words.")
    environ = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "SECRET_KEY", "WHISPER_MODEL")}
    done = subprocess.run(
        [sys.executable, "manage.py", "transcribe", str(folder), "-o", str(tmp_path / "out")],
        env={**environ, "DATA_DIR": str(drill.stack.data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "notes.mp3: This file is not a recording" in done.stderr
    for language in ("english", "german"):
        heard = words((tmp_path / "out" / f"{language}.mp3.txt").read_text())
        said = words((SAMPLES / f"{language}.txt").read_text())
        rate = word_errors(said, heard) / len(said)
        print(language, f"word error {rate:.2%}")
        assert rate <= 0.02


def test_a_second_worker_shares_the_work(drill: Drill, recording: Path) -> None:
    command = [sys.executable, "manage.py", "worker"]
    with subprocess.Popen(command, env={**drill.stack.environment(), "ENGINE_SLOTS": "1"}) as second:
        try:
            seen = "SELECT 1 FROM jobs_worker WHERE pid = %s"
            drill.wait(lambda: drill.rows(seen, second.pid) != [], "the second worker", 60)
            job = drill.upload(long_recording(recording.parent / "shared.mp3", 60))
            shares = (
                "SELECT DISTINCT e.worker FROM jobs_runevent e JOIN jobs_run r ON r.id = e.run_id "
                "WHERE r.job_id = %s AND e.stage = 'transcribing'"
            )
            drill.wait(lambda: len(drill.rows(shares, job)) == 2, "both workers at work", 300)
        finally:
            second.terminate()
    assert second.returncode == 0
    drill.press(f"/jobs/{job}/cancel/")
    assert drill.wait_for_end(job)[0] == "cancelled"


def test_one_worker_with_two_models_serves_the_runs_of_both(drill: Drill, tmp_path: Path) -> None:
    """The same checkpoint under other names: what counts is the queue. It has never learnt to translate, so what it
    writes then is not looked at."""
    short = tmp_path / "short.mp3"
    short.write_bytes((SAMPLES / "english.mp3").read_bytes()[:500_000])
    heard_by = (
        "SELECT DISTINCT r.model, r.options ->> 'task', e.worker FROM jobs_runevent e "
        "JOIN jobs_run r ON r.id = e.run_id WHERE r.job_id = %s AND e.stage = 'transcribing'"
    )
    first = drill.stack.pid("worker")
    assert 'name="model"' not in drill.get("/upload")  # there is nothing to choose from
    command = [sys.executable, "manage.py", "worker", "--model", f"second={DEMO}", "--model", f"third={DEMO}"]
    with subprocess.Popen(command, env=drill.stack.environment()) as process:
        try:
            drill.wait(lambda: '<option value="third">' in drill.get("/upload"), "the third model on the form", 60)
            jobs = {model: drill.upload(short, model=model, task="translate") for model in ("second", "third")}
            plain = drill.upload(short)
            assert [drill.wait_for_end(job) for job in (plain, *jobs.values())] == [("succeeded", "")] * 3
        finally:
            process.terminate()
    [[model, task, worker]] = drill.rows(heard_by, plain)
    assert (model, task, worker.rpartition(":")[2]) == ("demo", "transcribe", str(first))
    for name, job in jobs.items():
        [[model, task, worker]] = drill.rows(heard_by, job)
        assert (model, task, worker.rpartition(":")[2]) == (name, "translate", str(process.pid))
        assert "Translated into English" in drill.get(f"/jobs/{job}/")


def test_after_all_of_it_rows_files_and_temporal_agree(drill: Drill) -> None:
    assert drill.faults() == []
    job = drill.upload(SAMPLES / "english.mp3")
    assert drill.wait_for_end(job) == ("succeeded", "")
    (drill.stack.data / "media" / "jobs" / job / "source").unlink()
    assert drill.faults() == [("file_missing", [job])]
