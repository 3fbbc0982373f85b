"""A recording's way past the virus scanner, through the worker's activities, to what people are told."""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from django.test import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from accounts import personal
from accounts.grants import Grant
from accounts.models import AuditEvent, User
from jobs.errors import Conflict
from jobs.integrity.checks import look
from jobs.integrity.stored import rooms
from jobs.listening import player_of
from jobs.models import Job, Run
from jobs.services.cancel import cancel
from jobs.services.part import hear_part
from jobs.services.retry import retry
from transcribe.clamav import EICAR, Clamd, lying
from transcribe.embedded.ports import HOST, free_port
from worker import contract, watch
from worker.activities import Activities
from worker.fixtures import recording
from worker.presence import Presence
from worker.test_clamd import hang_after_all_of_it, say

Make = Callable[..., Job]
SOUND = recording("wav", 1.0)  # ClamAV reads no Ogg, and no MP3 that begins with its tags: to it those are harmless
REFUSES = say(b"INSTREAM size limit exceeded. ERROR\0")


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = Clamd(tmp_path_factory.mktemp("scanner") / "clamd")
    server.start()
    yield server.address
    server.stop()


class Bench:
    """The activities of a worker without engines, as the workflow calls them."""

    def __init__(self) -> None:
        self.presence = Presence([])
        self._bodies = Activities(cast(Any, None), self.presence)

    def inspect(self, job: Job, attempt: int = 1) -> contract.Inspection:
        here = ActivityEnvironment()
        here.info = dataclasses.replace(here.info, attempt=attempt)
        return here.run(self._bodies.inspect, contract.RunRef(str(run_of(job).pk)))

    def to_its_end(self, job: Job) -> Run:
        """What the workflow does with a refusal."""
        with pytest.raises(ApplicationError) as raised:
            self.inspect(job)
        assert raised.value.non_retryable
        failure = contract.Failure(str(run_of(job).pk), str(raised.value.type), raised.value.message)
        ActivityEnvironment().run(self._bodies.fail_run, failure)
        return run_of(job)


def run_of(job: Job) -> Run:
    return Run.objects.filter(job=job).latest("number")


def stages(run: Run) -> list[str]:
    return [stage for stage in run.events.values_list("stage", flat=True) if stage]


@pytest.fixture
def bench(transactional_db: None) -> Iterator[Bench]:
    made = Bench()
    yield made
    made.presence.end()


@pytest.fixture
def infected(bench: Bench, scanner: str, settings: Any, alice: User, make_job: Make) -> Job:
    settings.CLAMD_ADDRESS = scanner
    job = make_job(alice, content=SOUND + EICAR)
    bench.to_its_end(job)
    return Job.objects.select_related("current_run").get(pk=job.pk)


def test_a_clean_recording_goes_on(bench: Bench, scanner: str, settings: Any, alice: User, make_job: Make) -> None:
    settings.CLAMD_ADDRESS = scanner
    job = make_job(alice, content=SOUND)
    bench.inspect(job)
    assert run_of(job).warnings == []
    assert stages(run_of(job)) == ["scanning", "preparing"]
    assert Job.objects.get(pk=job.pk).container == "wav"


def test_without_a_scanner_nothing_is_scanned(bench: Bench, alice: User, make_job: Make) -> None:
    job = make_job(alice, content=SOUND + EICAR)
    bench.inspect(job)
    assert stages(run_of(job)) == ["preparing"]


def test_an_infected_one_is_gone_for_everybody(infected: Job, client: Client, alice: User) -> None:
    run = run_of(infected)
    assert (run.state, run.reason) == ("failed", "infected")
    assert not infected.folder.exists()
    assert player_of(infected).state == "none"
    event = AuditEvent.objects.get(kind="infected")
    assert (event.person, event.about) == (alice.pk, str(infected.pk))
    with pytest.raises(Conflict, match="virus scanner removed") as refused:
        retry(infected)
    assert refused.value.code == "infected"
    client.force_login(alice)
    assert client.get(f"/recordings/{infected.pk}/media").status_code == 404
    assert look(rooms(deep=True), pause=0).faults == []


def test_people_are_told_what_happened(infected: Job, client: Client, alice: User) -> None:
    client.force_login(alice)
    page = client.get(f"/jobs/{infected.pk}/").content.decode()
    assert "found something harmful in this file (Own.Eicar-Test.UNOFFICIAL), so it was removed." in page
    assert "It cannot be run again." in page
    assert "/again/" not in page
    german = client.get(f"/jobs/{infected.pk}/", headers={"Accept-Language": "de"}).content.decode()
    assert "etwas Schädliches gefunden (Own.Eicar-Test.UNOFFICIAL)" in german
    script = Client(headers={"authorization": f"Bearer {personal.make(alice, 'script', frozenset(Grant), 1)[1]}"})
    told = script.get(f"/api/v1/jobs/{infected.pk}", headers={"Accept-Language": "de"}).json()
    assert told["run"]["reason"] == "infected"
    assert "Schädliches" in told["run"]["detail"]
    again = script.post(f"/api/v1/jobs/{infected.pk}/retry", content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "infected")


def test_found_when_a_part_is_heard_again_the_text_stays_and_its_page_says_so(
    bench: Bench, scanner: str, settings: Any, client: Client, alice: User, make_job: Make
) -> None:
    """Signatures have grown since: the run before had passed."""
    job = make_job(alice, content=SOUND + EICAR, state="succeeded", language="en")
    Job.objects.filter(pk=job.pk).update(duration=1.0)
    hear_part(Job.objects.get(pk=job.pk), 0.0, 1.0)
    settings.CLAMD_ADDRESS = scanner
    assert bench.to_its_end(job).reason == "infected"
    shown = Job.objects.select_related("current_run").get(pk=job.pk).current_run
    assert shown is not None
    assert (shown.number, shown.state) == (1, "succeeded")
    client.force_login(alice)
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "the virus scanner found something harmful in it, so the file was removed. The text stays." in page
    assert "/again/" not in page
    assert "/part/" not in page


def test_while_the_scanner_is_away_a_run_waits_and_says_so(
    bench: Bench, scanner: str, settings: Any, client: Client, alice: User, make_job: Make
) -> None:
    settings.CLAMD_ADDRESS = f"{HOST}:{free_port()}"
    job = make_job(alice, content=SOUND)
    for attempt in (1, 2, 99):  # a failure of ours would be final at the fifth
        with pytest.raises(ApplicationError) as raised:
            bench.inspect(job, attempt)
        assert not raised.value.non_retryable
    assert stages(run_of(job)) == ["scanning", "scanner_away"]  # told once, not at each look
    client.force_login(alice)
    assert "Waiting for the virus scanner" in client.get(f"/jobs/{job.pk}/").content.decode()
    settings.CLAMD_ADDRESS = scanner
    bench.inspect(job, 100)
    assert stages(run_of(job)) == ["scanning", "scanner_away", "scanning", "preparing"]


def test_an_operator_who_turns_the_scanner_off_lets_the_waiting_ones_go_on(
    bench: Bench, settings: Any, alice: User, make_job: Make
) -> None:
    settings.CLAMD_ADDRESS = f"{HOST}:{free_port()}"
    job = make_job(alice, content=SOUND)
    with pytest.raises(ApplicationError):
        bench.inspect(job)
    settings.CLAMD_ADDRESS = ""
    bench.inspect(job, 2)
    assert run_of(job).stage == "preparing"


@pytest.mark.parametrize("away", [True, False])
def test_best_effort_goes_on_and_warns(
    bench: Bench, settings: Any, client: Client, alice: User, make_job: Make, away: bool
) -> None:
    settings.SCAN_POLICY = "best_effort"
    job = make_job(alice, content=SOUND)
    with lying(REFUSES) as address:
        settings.CLAMD_ADDRESS = f"{HOST}:{free_port()}" if away else address
        bench.inspect(job)
    assert [warning["code"] for warning in run_of(job).warnings] == ["not_scanned"]
    client.force_login(alice)
    page = client.get(f"/jobs/{job.pk}/", headers={"Accept-Language": "de"}).content.decode()
    assert "wurde nicht auf Viren geprüft" in page


def test_a_file_beyond_the_limits_fails_and_is_kept(
    bench: Bench, settings: Any, client: Client, alice: User, make_job: Make
) -> None:
    job = make_job(alice, content=SOUND)
    with lying(REFUSES) as address:
        settings.CLAMD_ADDRESS = address
        assert bench.to_its_end(job).reason == "not_scanned"
    assert job.path.exists()
    client.force_login(alice)
    assert "raise the scanner&#x27;s limits" in client.get(f"/jobs/{job.pk}/").content.decode()
    assert retry(Job.objects.get(pk=job.pk)).state == "queued"


def test_a_cancel_is_heard_during_the_scan(
    bench: Bench, settings: Any, alice: User, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "ROW_SECONDS", 0.0)
    monkeypatch.setattr("worker.clamd.STEP_SECONDS", 0.05)
    job = make_job(alice, content=SOUND)
    with lying(hang_after_all_of_it) as address:
        settings.CLAMD_ADDRESS = address
        ended = list[str | None]()

        def inspect() -> None:
            with pytest.raises(ApplicationError) as raised:
                bench.inspect(job)
            ended.append(raised.value.type)

        thread = threading.Thread(target=inspect)
        thread.start()
        while run_of(job).stage != "scanning":
            time.sleep(0.02)
        cancel(Job.objects.select_related("current_run").get(pk=job.pk))
        thread.join(timeout=20)
    assert ended == ["stopped"]
    assert run_of(job).state == "cancelling"
