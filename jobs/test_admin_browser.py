"""The administration in real Chromium: its own scripts work under our policy, and nothing complains in the console."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from accounts.models import User
from jobs.models import Job, Run
from jobs.states import RunState


def test_an_operator_finds_cancels_and_deletes(
    page: Page, alice: User, bob: User, make_job: Callable[..., Job], stored: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = stored
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    job, other = make_job(bob), make_job(alice, state="failed", reason="poison", detail="The engine ended twice.")
    page.goto("/admin/")
    page.locator(".overview").get_by_role("link", name="1").first.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.locator(".filter-field input[name=owner]").fill("bob")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url("/admin/jobs/job/?state=queued&owner=bob")
    page.locator("input.action-select").check()
    expect(page.locator(".action-counter")).to_have_text("1 of 1 selected")
    page.locator("select[name=action]").select_option("stop")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".messagelist")).to_have_text("1 done.")
    assert Run.objects.get(job=job).state == RunState.CANCELLED
    page.goto(f"/admin/jobs/job/{other.pk}/change/")
    expect(page.get_by_text("The engine ended twice.").first).to_be_visible()
    page.locator(".deletelink").click()
    expect(page.get_by_text("There is no way back.")).to_be_visible()
    page.locator("#content form input[type=submit]").click()
    expect(page.locator(".messagelist")).to_contain_text("was deleted successfully")
    assert list(Job.objects.all()) == [job]
    assert (job.path.exists(), other.folder.exists()) == (True, False)


def test_why_it_is_slow_is_read_again_by_itself(
    page: Page, alice: User, bob: User, make_job: Callable[..., Job], stored: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = stored
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    page.clock.install()  # its ten seconds pass when this test says so
    page.goto("/admin/")
    page.get_by_role("link", name="Why is it slow?").click()
    expect(page.locator(".answer")).to_have_text("No worker is alive: start one with `manage.py worker`.")
    make_job(bob)
    page.clock.run_for(10_000)
    expect(page.locator(".answer")).to_contain_text("1 recording waits for it.")
    page.get_by_role("link", name="Look again").focus()  # nobody loses what they are about to follow
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(10_000)
    expect(page.get_by_role("link", name="Look again")).to_be_focused()
    assert asked == []
    page.context.clear_cookies()
    page.evaluate("() => document.activeElement.blur()")
    page.clock.run_for(10_000)
    page.wait_for_url("**/sign-in/**")
