"""Real Chromium on the real server: what scripts and sockets make of the pages."""

import re
import time
from collections.abc import Callable

from playwright.sync_api import Browser, Page, Route, expect

from accounts.models import User
from jobs.browsing import listen
from jobs.live import announce
from jobs.models import Job, Run
from jobs.services.finish import finish
from jobs.speaking import speak

Make = Callable[..., Job]


def words(page: Page) -> list[str]:
    return page.locator("#transcript .said").all_text_contents()


def wait_for_words(page: Page, count: int) -> None:
    expect(page.locator("#transcript .said")).to_have_count(count, timeout=10_000)


def test_text_grows_in_time_order_whatever_arrives_first(page: Page, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running", stage="transcribing")
    speak(job.current_run, [f"a{n}" for n in range(250)])
    listen(page, f"/jobs/{job.pk}/")
    wait_for_words(page, 250)  # 200 in the page, the rest fetched
    speak(job.current_run, ["c0", "c1"], start=9000.0)
    announce(job.pk)
    wait_for_words(page, 252)
    speak(job.current_run, ["b0", "b1"], start=2000.0)
    announce(job.pk)
    wait_for_words(page, 254)
    assert words(page) == [*(f"a{n}" for n in range(250)), "b0", "b1", "c0", "c1"]


def test_text_stays_in_order_when_the_socket_is_faster_than_the_page(page: Page, alice: User, make_job: Make) -> None:
    """The first message brings the newest 200 stretches while the page still waits for those after its first 200."""
    job = make_job(alice, state="running", stage="transcribing")
    texts = [f"a{n}" for n in range(250)]
    speak(job.current_run, texts)
    held: list[Route] = []
    page.route("**/transcript/**", lambda route: held.append(route))
    listen(page, f"/jobs/{job.pk}/")
    wait_for_words(page, 250)
    assert len(held) == 1
    with page.expect_response("**/transcript/**"):
        held[0].continue_()
    expect(page.locator("#transcript .more")).to_have_count(0)
    assert words(page) == texts


def test_more_text_than_one_message_carries_is_fetched(page: Page, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running", stage="transcribing")
    listen(page, f"/jobs/{job.pk}/")
    assert page.get_by_text("The text appears here as it is written.").is_visible()
    speak(job.current_run, [f"late {n}" for n in range(1300)], start=5000.0)
    speak(job.current_run, [f"early {n}" for n in range(30)])
    announce(job.pk)
    wait_for_words(page, 1330)
    assert words(page) == [*(f"early {n}" for n in range(30)), *(f"late {n}" for n in range(1300))]
    assert page.locator("#transcript .more").count() == 0


def test_the_end_and_another_run_show_without_a_click(page: Page, alice: User, make_job: Make) -> None:
    from jobs.services.retry import retry

    job = make_job(alice, state="running", stage="transcribing")
    speak(job.current_run, ["old words"])
    listen(page, f"/jobs/{job.pk}/")
    assert job.current_run is not None
    finish(job.current_run.pk, attempt=1, worker="w")
    page.get_by_text("The transcript is ready.").wait_for()
    assert page.get_by_role("button", name="Run again").is_visible()
    assert page.locator("#status progress").count() == 0
    retry(job)
    page.get_by_text("No worker is running.").wait_for()
    assert page.get_by_text("old words").count() == 0


def test_rows_move_and_new_ones_come_first(page: Page, alice: User, make_job: Make) -> None:
    first = make_job(alice, title="first.mp3", state="running")
    listen(page, "/")
    assert first.current_run is not None
    finish_run(first)
    page.locator(f"#job-{first.pk}[data-state=succeeded]").wait_for()
    second = make_job(alice, title="second.mp3")
    announce(second.pk)
    page.get_by_text("second.mp3").wait_for()
    assert page.locator(".row-title").all_inner_texts() == ["second.mp3", "first.mp3"]


def test_a_filtered_list_takes_only_what_fits_and_keeps_what_changes(page: Page, alice: User, make_job: Make) -> None:
    make_job(alice, title="old talk.mp3", state="running")
    running = make_job(alice, title="talk one.mp3", state="running")
    done = make_job(alice, title="talk two.mp3", state="succeeded")
    listen(page, "/?state=open&q=talk")
    assert page.locator(".row-title").all_inner_texts() == ["talk one.mp3", "old talk.mp3"]
    finish_run(running)
    page.locator(f"#job-{running.pk}[data-state=succeeded]").wait_for()  # it stays, and says how it ended
    expect(page.locator("#filters .count")).to_have_text(["3", "1", "2", "0"])
    Run.objects.filter(job=done).update(state="queued")  # as if it was run again
    for job in (make_job(alice, title="Lecture.mp3"), done, make_job(alice, title="Talk three.mp3")):
        announce(job.pk)
    expect(page.locator(".row-title")).to_have_text(["Talk three.mp3", "talk two.mp3", "talk one.mp3", "old talk.mp3"])


def test_a_row_acts_where_it_is(page: Page, alice: User, make_job: Make) -> None:
    job = make_job(alice, title="talk.mp3", state="running")
    page.goto("/?state=open")
    row = page.locator(f"#job-{job.pk}")
    row.hover()
    row.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/?state=open")
    expect(row).to_contain_text("Stopping")


def test_a_phone_has_a_sheet_of_acts_that_outlives_news(
    chromium: Browser, page: Page, address: str, alice: User, make_job: Make
) -> None:
    job = make_job(alice, title="talk.mp3", state="running", stage="preparing")
    cookies = page.context.storage_state()
    context = chromium.new_context(
        base_url=address, storage_state=cookies, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}
    )
    phone = context.new_page()
    listen(phone, "/")
    phone.get_by_role("button", name="More about talk.mp3").tap()
    expect(phone.get_by_role("button", name="Cancel")).to_be_visible()
    finish_run(job)
    expect(phone.get_by_role("button", name="Run again")).to_be_visible()  # the same sheet, of a row that changed
    context.close()


def finish_run(job: Job) -> None:
    speak(job.current_run, ["words"])
    assert job.current_run is not None
    assert finish(job.current_run.pk, attempt=1, worker="w")


def test_the_first_recording_replaces_the_invitation(page: Page, alice: User, make_job: Make) -> None:
    listen(page, "/")
    assert page.get_by_text("No recordings yet").is_visible()
    announce(make_job(alice, title="first.mp3").pk)
    page.get_by_text("first.mp3").wait_for()


def test_a_page_is_live_whichever_script_arrives_last(page: Page, alice: User, make_job: Make) -> None:
    job = make_job(alice)
    for script in ("hx-ws", "htmx-4", "live"):
        page.route(re.compile(script), arrive_late)
        listen(page, f"/jobs/{job.pk}/")
        page.unroute_all()


def arrive_late(route: Route) -> None:
    time.sleep(0.3)  # long after everything else; nothing waits for it to be over
    route.continue_()


def test_a_lost_connection_is_said_and_comes_back(page: Page, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running", stage="transcribing")
    listen(page, f"/jobs/{job.pk}/")
    note = page.get_by_text("The connection to the server was lost.")
    assert not note.is_visible()
    page.evaluate(f"""() => {{
        const connection = htmx.ext.ws.getRegistry().get("/live/{job.pk}/");
        connection.config.reconnectDelay = 2000;
        connection.socket.close();
    }}""")
    note.wait_for()
    speak(job.current_run, ["said meanwhile"])
    announce(job.pk)
    wait_for_words(page, 1)
    assert not note.is_visible()


def test_cancel_and_delete_by_buttons(page: Page, alice: User, make_job: Make) -> None:
    job = make_job(alice)
    page.goto(f"/jobs/{job.pk}/")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled", exact=True).first.wait_for()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("were deleted").wait_for()
    assert not Job.objects.exists()
