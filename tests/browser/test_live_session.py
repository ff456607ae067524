"""A session in a browser: what streams, what a reload shows, what the buttons do."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.reading import assert_reload_shows_the_same, say, transcript, wait_status, wait_still
from tests.e2e.api import texts
from tests.e2e.stack import Stack


@pytest.fixture
def session(page: Page, stack: Stack) -> str:
    """A new session, open in the page."""
    session_id = str(stack.api.create()["id"])
    page.goto(f"/c/{session_id}")
    return session_id


def test_a_tool_call_is_shown_as_it_happens_and_the_same_after_a_reload(page: Page, session: str) -> None:
    say(page, "Run the shell command: echo one; echo two")

    card = page.locator("[data-call]")
    expect(card).to_have_attribute("data-state", "done")
    expect(card).to_contain_text("echo one; echo two")
    expect(card.locator(".output__text")).to_contain_text("one\ntwo")
    wait_status(page, "idle")
    expect(page.locator(".entry--user .verbatim")).to_have_text("Run the shell command: echo one; echo two")
    assert_reload_shows_the_same(page)


def test_text_streams_into_the_page(page: Page, session: str) -> None:
    say(page, "Count to 40 slowly")

    streaming = page.locator(".is-streaming")
    expect(streaming).to_contain_text("1")
    assert "40" not in streaming.inner_text()
    expect(page.locator(".status__word").first).to_have_text("Running")
    wait_status(page, "idle")
    expect(page.locator(".entry--agent")).to_contain_text("40")
    assert_reload_shows_the_same(page)


def test_a_reload_in_the_middle_of_a_turn_misses_nothing(
    context: BrowserContext, page: Page, session: str
) -> None:
    say(page, "Count to 12 slowly")
    expect(page.locator(".is-streaming")).to_contain_text("3")

    late = context.new_page()
    late.goto(f"/c/{session}")
    expect(late.locator(".is-streaming")).to_contain_text("3")
    wait_status(page, "idle")
    wait_status(late, "idle")

    assert wait_still(late) == wait_still(page)
    assert_reload_shows_the_same(late)


def test_a_tool_that_runs_is_there_after_a_reload(page: Page, session: str) -> None:
    say(page, "Run the shell command: sleep 3; echo woke up")
    expect(page.locator("[data-call]")).to_have_attribute("data-state", "running")

    page.reload()

    card = page.locator("[data-call]")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("sleep 3; echo woke up")
    expect(card).to_have_attribute("data-state", "done")
    expect(card.locator(".output__text")).to_contain_text("woke up")
    wait_status(page, "idle")
    assert_reload_shows_the_same(page)


def test_interrupt_ends_the_turn(page: Page, session: str) -> None:
    say(page, "Count to 200 slowly")
    expect(page.locator(".is-streaming")).to_contain_text("2")
    expect(page.get_by_text("What you send now steers this turn")).to_be_visible()

    page.get_by_role("button", name="Interrupt").click()

    wait_status(page, "idle")
    expect(page.get_by_role("button", name="Interrupt")).to_be_hidden()
    assert_reload_shows_the_same(page)


def test_a_second_message_steers_the_running_turn(page: Page, session: str) -> None:
    say(page, "Count to 10 slowly")
    expect(page.locator(".is-streaming")).to_contain_text("2")

    say(page, "And then say goodbye")

    expect(page.locator(".entry--user")).to_have_count(2)
    wait_status(page, "idle")
    assert_reload_shows_the_same(page)


def test_a_failure_says_why(page: Page, session: str) -> None:
    say(page, "Fail with the printer is on fire")

    wait_status(page, "failed")
    expect(page.locator("#strip")).to_contain_text("the printer is on fire")
    expect(page.locator(".entry--error")).to_contain_text("the printer is on fire")
    assert_reload_shows_the_same(page)


def test_what_a_model_says_never_becomes_markup(page: Page, session: str) -> None:
    hostile = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    say(page, f"Run the shell command: printf '%s' {hostile!r}")
    wait_status(page, "idle")
    say(page, hostile)
    wait_status(page, "idle")

    wait_still(page)
    assert page.locator("#transcript img, #transcript script").count() == 0
    assert "owned" not in page.title()
    assert_reload_shows_the_same(page)


def test_a_cut_connection_is_told_and_made_up_for(page: Page, session: str, stack: Stack) -> None:
    say(page, "Count to 10 slowly")
    expect(page.locator(".is-streaming")).to_contain_text("2")

    stack.clients.kill_connections()

    wait_status(page, "idle")
    text = page.locator(".entry--agent").inner_text()
    numbers = [int(number) for number in re.findall(r"\b\d+\b", text.split("\n", 2)[-1])]
    assert numbers == list(range(1, 11))
    assert_reload_shows_the_same(page)


def test_a_draft_survives_a_reload(page: Page, session: str) -> None:
    page.fill("#text", "half a thought")

    page.reload()

    expect(page.locator("#text")).to_have_value("half a thought")


def test_the_title_follows_the_first_message(page: Page, session: str) -> None:
    say(page, "What can you do?")

    expect(page.locator("#title")).to_have_text("What can you do?")
    wait_status(page, "idle")
    assert page.title() == "What can you do? · Omnigent"
    assert "What can you do?" in transcript(page)


def test_an_answer_lost_on_the_way_does_not_send_twice(page: Page, session: str, stack: Stack) -> None:
    lost: list[int] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/events", lose_the_first)

    say(page, "Say it once")

    expect(page.locator("#text")).to_have_value("")
    wait_status(page, "idle")
    assert lost == [202]
    assert texts(stack.api.items(session), "user") == ["Say it once"]
    assert_reload_shows_the_same(page)


def test_a_refused_message_stays_in_the_box(page: Page, stack: Stack) -> None:
    nobody = stack.api.create(host_id=None)["id"]
    page.goto(f"/c/{nobody}")

    say(page, "Is anyone there?")

    expect(page.get_by_role("alert")).to_have_text("No runner bound for session")
    expect(page.locator("#text")).to_have_value("Is anyone there?")
    assert stack.api.items(nobody) == []


def test_a_stream_that_cannot_be_resumed_reloads_the_page(page: Page, session: str) -> None:
    reset: list[bool] = []

    def reset_once(route: Route) -> None:
        if reset:
            route.continue_()
            return
        reset.append(True)
        body = 'event: stream.reset\ndata: {"type":"stream.reset"}\n\n'
        route.fulfill(content_type="text/event-stream", body=body)

    page.route(re.compile(r"/stream\?after="), reset_once)
    with page.expect_event("load"):
        page.reload()

    with page.expect_event("load"):
        pass
    say(page, "Still here?")
    wait_status(page, "idle")
    expect(page.locator(".entry--agent")).to_have_count(1)


def test_long_output_unfolds_in_place(page: Page, session: str) -> None:
    say(page, "Run the shell command: seq 1 200")
    wait_status(page, "idle")
    output = page.locator(".output__text")
    expect(output).not_to_contain_text("199")

    page.get_by_role("link", name="Show all").click()

    expect(output).to_contain_text("199\n200")
