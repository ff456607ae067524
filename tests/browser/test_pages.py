"""The dashboard in a browser: starting a session, reading without scripts, small screens, the keyboard."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.reading import wait_status
from tests.e2e.stack import Stack


def test_a_session_is_started_from_the_list(page: Page, stack: Stack) -> None:
    page.goto("/")
    page.get_by_role("link", name="New session").first.click()
    page.get_by_role("radio", name=re.compile("^scripted")).check()
    page.get_by_label("First message").fill("Run the shell command: echo from the form")
    page.get_by_role("button", name="Start session").click()

    page.wait_for_url("**/c/conv_*")
    expect(page.locator(".output__text")).to_contain_text("from the form")
    wait_status(page, "idle")
    page.get_by_role("link", name="Sessions").click()
    expect(page.get_by_role("link", name="Run the shell command: echo from the form").first).to_be_visible()


def test_everything_works_without_scripts(chromium: Browser, stack: Stack) -> None:
    session = stack.api.create()["id"]
    context = chromium.new_context(base_url=stack.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/c/{session}")

    page.get_by_label("Message", exact=True).fill("Run the shell command: echo plain")
    page.get_by_role("button", name="Send").click()
    stack.stream(session, after=0).wait_settled()
    page.reload()

    expect(page.locator(".entry--user .verbatim")).to_have_text("Run the shell command: echo plain")
    expect(page.locator(".output__text")).to_contain_text("plain")
    context.close()


def test_the_list_keeps_itself_current(page: Page, stack: Stack) -> None:
    stack.api.create(title="one that is there")
    page.goto("/")

    stack.api.create(title="one that came later")

    expect(page.get_by_role("link", name="one that came later")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/new", "/agents", "session"])
def test_pages_fit_a_phone(chromium: Browser, stack: Stack, path: str, scheme: str) -> None:
    session = stack.api.create(title="A rather long title that has to fit somewhere on a small screen")["id"]
    context = chromium.new_context(
        base_url=stack.url,
        viewport={"width": 360, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(f"/c/{session}" if path == "session" else path)

    width, visible = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background.strip("rgb()").split(",")[:3]) / 3
    assert width <= visible
    assert (brightness < 80) == (scheme == "dark")
    context.close()


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page: Page, stack: Stack) -> None:
    stack.api.create(title="Reachable")
    page.goto("/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for _ in range(5):
        page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement.closest('.row')).outlineStyle")

    assert outline == "solid"
