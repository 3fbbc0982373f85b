"""The player in real Chromium: text and sound follow each other, keys, addresses of moments, and reading in peace."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from jobs.browsing import listen
from jobs.live import announce
from jobs.models import Job, Segment
from jobs.speaking import evenly, speak

Make = Callable[..., Job]
MEDIA = "document.getElementById('media')"
SAMPLE = Path(site.BASE_DIR) / "worker" / "demo" / "samples" / "english.mp3"  # five minutes


@pytest.fixture
def job(alice: User, make_job: Make, stored: Path, settings: Any) -> Job:
    """Five minutes that can be heard, with sixty sentences; each begins at a multiple of five seconds."""
    settings.MEDIA_ROOT = stored
    made = make_job(alice, state="succeeded", content=SAMPLE.read_bytes())
    Job.objects.filter(pk=made.pk).update(duration=300.0, container="mp3", codec="mp3")
    speak(made.current_run, [f"Sentence number {n}." for n in range(60)])
    return made


@pytest.fixture
def reading(page: Page, job: Job) -> Page:
    """The recording's page, with the player ready."""
    page.goto(f"/jobs/{job.pk}/")
    ready(page)
    return page


def ready(page: Page) -> None:
    page.locator("#player[data-ready]").wait_for()
    until(page, f"{MEDIA}.readyState >= 1")


def until(page: Page, condition: str) -> None:
    """Playwright's own `wait_for_function` needs `eval` in the page, which our content security policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def said(page: Page, number: int) -> Locator:
    return page.get_by_text(f"Sentence number {number}.", exact=True)


def now(page: Page) -> float:
    found: float = page.evaluate(f"{MEDIA}.currentTime")
    return found


def paused(page: Page) -> bool:
    found: bool = page.evaluate(f"{MEDIA}.paused")
    return found


def at(page: Page, seconds: float) -> None:
    """The player stands there, within 0.3 s."""
    until(page, f"Math.abs({MEDIA}.currentTime - {seconds}) <= 0.3")


def wait_until_playing(page: Page) -> None:
    until(page, f"!{MEDIA}.paused")


def test_a_click_on_words_goes_there_and_plays(reading: Page) -> None:
    reading.evaluate(
        """() => { window.went = []; const media = document.getElementById("media");
        media.addEventListener("seeking", () => window.went.push(media.currentTime)); }"""
    )
    said(reading, 7).click()
    wait_until_playing(reading)
    until(reading, "window.went.length > 0")
    assert abs(reading.evaluate("window.went[0]") - 35) <= 0.3
    expect(said(reading, 7)).to_have_class(re.compile(r"\bspoken\b"))
    expect(reading.get_by_role("button", name="Pause")).to_be_visible()


def test_the_word_that_is_said_is_shown_and_a_click_goes_to_it(reading: Page, job: Job) -> None:
    """The third of three words, each a third of four seconds; drawn over a text whose elements stay as they are."""
    for segment in Segment.objects.all():
        segment.words = evenly(segment.text, segment.start, 4.0)
        segment.save()
    reading.reload()
    ready(reading)
    word = """[...CSS.highlights.get("word")].join()"""
    box = said(reading, 7).bounding_box()
    assert box is not None
    reading.mouse.click(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2)
    wait_until_playing(reading)
    assert now(reading) >= 35 + 2 * 4 / 3 - 0.3
    until(reading, f"{word} === '7.'")
    reading.keyboard.press("k")
    reading.get_by_role("slider", name="Position").fill("20")
    until(reading, f"{word} === 'Sentence'")
    assert reading.evaluate("[...document.querySelectorAll('.said')].every((one) => one.childNodes.length === 1)")


def test_the_time_in_the_margin_goes_to_its_passage_by_keyboard(reading: Page) -> None:
    reading.get_by_role("link", name="1:00", exact=True).focus()
    reading.keyboard.press("Enter")
    wait_until_playing(reading)
    assert now(reading) >= 59.7
    assert reading.url.endswith("#t=60")


def test_keys(reading: Page) -> None:
    reading.locator("h1").click()  # the focus is on nothing
    steps = [("ArrowRight", 5), ("l", 15), ("ArrowLeft", 10), ("j", 0), ("j", 0)]
    for key, seconds in steps:
        reading.keyboard.press(key)
        at(reading, seconds)
    reading.keyboard.press("Space")
    wait_until_playing(reading)
    reading.keyboard.press("k")
    assert paused(reading)
    for key, rate in ((".", 1.25), (",", 1), (",", 0.75)):
        reading.keyboard.press(key)
        assert reading.evaluate(f"{MEDIA}.playbackRate") == rate
    reading.keyboard.press("?")
    expect(reading.get_by_role("dialog", name="Keys")).to_be_visible()
    reading.keyboard.press("l")
    reading.keyboard.press("Escape")
    expect(reading.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert now(reading) < 5


def test_keys_leave_typing_and_controls_alone(reading: Page) -> None:
    reading.get_by_role("searchbox", name="Search recordings by name").first.click()
    reading.keyboard.type("jkl, ")
    expect(reading.get_by_role("searchbox").first).to_have_value("jkl, ")
    reading.get_by_label("Speed").focus()
    reading.keyboard.press("ArrowDown")
    reading.locator("#downloads summary").focus()
    reading.keyboard.press("Space")
    expect(reading.locator("#downloads .menu-list")).to_be_visible()
    assert paused(reading)
    assert now(reading) == 0


def test_keys_can_be_switched_off(reading: Page) -> None:
    reading.get_by_role("button", name="Keys").click()
    reading.get_by_label("Use these keys on this device").uncheck()
    reading.get_by_role("button", name="Close").click()
    reading.reload()
    ready(reading)
    reading.keyboard.press("l")
    reading.keyboard.press("k")
    assert now(reading) == 0


def test_the_slider_says_the_time_and_seeks(reading: Page) -> None:
    slider = reading.get_by_role("slider", name="Position")
    slider.fill("120")
    at(reading, 120)
    expect(slider).to_have_attribute("aria-valuetext", "2:00 / 5:00")
    expect(said(reading, 24)).to_have_class(re.compile(r"\bspoken\b"))
    slider.focus()
    slider.press("ArrowRight")
    at(reading, 125)


def test_the_spoken_words_are_followed_until_the_reader_scrolls_away(reading: Page) -> None:
    reading.get_by_role("button", name="Play").click()
    reading.get_by_role("slider", name="Position").fill("250")
    expect(said(reading, 50)).to_be_in_viewport()
    follow = reading.get_by_role("button", name="Follow")
    expect(follow).to_be_hidden()
    reading.mouse.move(600, 300)
    reading.mouse.wheel(0, -4000)
    expect(follow).to_be_visible()
    expect(said(reading, 50)).not_to_be_in_viewport()
    follow.click()
    expect(reading.locator(".spoken")).to_be_in_viewport()
    expect(follow).to_be_hidden()


def test_an_address_of_a_moment_shows_it_and_waits_there(page: Page, job: Job) -> None:
    page.goto(f"/jobs/{job.pk}/#t=202.5")
    ready(page)
    at(page, 202.5)
    expect(said(page, 40)).to_be_in_viewport()
    expect(said(page, 40)).to_have_class(re.compile(r"\bnamed\b"))
    assert paused(page)
    page.evaluate("location.hash = '#t=10'")
    at(page, 10)
    expect(said(page, 2)).to_have_class(re.compile(r"\bnamed\b"))
    expect(page.locator(".named")).to_have_count(1)


def test_a_moment_far_down_is_waited_for(page: Page, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded")
    speak(job.current_run, [f"Sentence number {n}." for n in range(2500)])
    page.goto(f"/jobs/{job.pk}/#t=12001")
    expect(said(page, 2400)).to_be_in_viewport()
    expect(said(page, 2400)).to_have_class(re.compile(r"\bnamed\b"))


def test_the_link_to_a_moment_is_copied(reading: Page, address: str, job: Job) -> None:
    reading.context.grant_permissions(["clipboard-read", "clipboard-write"])
    said(reading, 13).hover()
    reading.locator("#copy").click()
    expect(reading.get_by_text("The link is copied.")).to_be_visible()
    assert reading.evaluate("navigator.clipboard.readText()") == f"{address}/jobs/{job.pk}/#t=65"
    reading.get_by_role("slider", name="Position").fill("151")
    reading.locator("h1").click()
    reading.keyboard.press("c")
    until(reading, "location.hash === '#t=150'")
    assert reading.evaluate("navigator.clipboard.readText()").endswith("#t=150")


def test_without_a_clipboard_it_is_copied_by_hand(reading: Page) -> None:
    reading.context.grant_permissions(["clipboard-read"])
    reading.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not here')); }")
    said(reading, 3).hover()
    reading.locator("#copy").click()
    expect(reading.get_by_text("The link is copied.")).to_be_visible()
    assert reading.evaluate("navigator.clipboard.readText()").endswith("#t=15")


def test_what_plays_later_appears_by_itself(page: Page, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(rendition="wanted", container="amr", codec="amrnb")
    listen(page, f"/jobs/{job.pk}/")
    expect(page.get_by_text("The player appears here by itself.")).to_be_visible()
    Job.objects.filter(pk=job.pk).update(rendition="", container="mp3", codec="mp3")
    announce(job.pk)
    ready(page)
    said(page, 4).click()
    wait_until_playing(page)


def passages(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(
        """() => [...document.querySelectorAll(".passage")].map((passage) =>
        [passage.querySelector("time").textContent, passage.querySelector("p").textContent.trim()])"""
    )
    return found


def test_passages_that_grew_live_are_those_of_the_whole(page: Page, alice: User, make_job: Make) -> None:
    """What arrives in any order ends up as the server would have divided it."""
    job = make_job(alice, state="running", stage="transcribing")
    speak(job.current_run, ["One.", "two", "three.", "Four."])
    listen(page, f"/jobs/{job.pk}/")
    for start in (300.0, 60.0, 21.0, 100.0, 41.5, 320.0):
        speak(job.current_run, ["And so,", "it went on.", "“Really?”", "Yes"], start=start)
        announce(job.pk)
        expect(page.locator(".said", has_text="Yes")).to_have_count(job.runs.get().segments.filter(text="Yes").count())
    grown = passages(page)
    page.reload()
    page.locator("html[data-live=on]").wait_for()
    assert passages(page) == grown
    assert len(grown) < 20


def test_new_text_leaves_the_reader_where_he_is(page: Page, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running", stage="transcribing")
    speak(job.current_run, [f"Sentence number {n}." for n in range(400)], start=3000.0)
    listen(page, f"/jobs/{job.pk}/")
    expect(page.locator(".said")).to_have_count(400)
    said(page, 200).scroll_into_view_if_needed()
    page.wait_for_timeout(200)  # what came into view got its height
    before = said(page, 200).bounding_box()
    speak(job.current_run, [f"Earlier {n}." for n in range(100)])
    announce(job.pk)
    expect(page.locator(".said")).to_have_count(500)
    after = said(page, 200).bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
