"""A running stack and what people send it: playlists, silence, damage, other languages, programs, several workers."""

import html
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from transcribe.drill import DEMO, SAMPLES, Drill
from transcribe.faults.tools import agrees, second_worker
from worker.demo.listening import word_errors, words
from worker.fixtures import amr, encode

pytestmark = pytest.mark.alone


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
    with second_worker(drill):
        job = drill.upload(recording)
        shares = (
            "SELECT DISTINCT e.worker FROM jobs_runevent e JOIN jobs_run r ON r.id = e.run_id "
            "WHERE r.job_id = %s AND e.stage = 'transcribing'"
        )
        drill.wait(lambda: len(drill.rows(shares, job)) == 2, "both workers at work", 300)
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
    drill.press(f"/jobs/{job}/delete/")
    agrees(drill)
