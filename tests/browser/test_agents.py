"""Agents in a browser: bringing one along, sub-agents at work, summaries, and tools that are missing."""

import re
import uuid

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.agents.registry import single
from tests.browser.reading import assert_reload_shows_the_same, say, wait_status
from tests.e2e import families
from tests.e2e.stack import Stack

WATCH = """() => {
  window.wasCompacting = false;
  const look = () => { window.wasCompacting ||= document.getElementById("compacting") !== null; };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}"""


def archive(content: bytes) -> FilePayload:
    return {"name": "agent.tar.gz", "mimeType": "application/gzip", "buffer": content}


@pytest.fixture
def name() -> str:
    """Of an agent that no other test of this server has."""
    return f"mine-{uuid.uuid4().hex[:8]}"


def test_an_own_agent_is_brought_along_started_and_deleted(page: Page, stack: Stack, name: str) -> None:
    page.goto("/new")
    page.get_by_label("First message").fill("Count to 4")
    page.get_by_text("Upload an agent of your own").click()
    page.get_by_label("Bundle").set_input_files(archive(single(name=name, executor={"harness": "nonsense"})))
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#upload-alert")).to_contain_text("invalid agent spec")

    page.get_by_label("Bundle").set_input_files(archive(single(name=name, description="Brought along")))
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#upload-done")).to_have_text(f"{name} is there, version 1.")
    expect(page.locator("#upload-alert")).to_be_hidden()
    expect(page.get_by_role("radio", name=name)).to_be_checked()
    expect(page.get_by_role("radio", name=name)).to_be_focused()
    page.get_by_role("button", name="Start session").click()
    page.wait_for_url("**/c/conv_*")
    expect(page.locator(".entry--agent")).to_contain_text("1 2 3 4")
    expect(page.locator(".entry--agent .who")).to_have_text(name)
    wait_status(page, "idle")

    page.get_by_role("link", name="Agents").click()
    row = page.get_by_role("listitem").filter(has_text=name)
    expect(row).to_contain_text("Brought along")
    row.get_by_text("Delete").first.click()
    row.get_by_role("button", name=f"Delete {name} for good").click()
    expect(page.get_by_role("heading", name=f"1 session is bound to {name}")).to_be_visible()
    page.get_by_role("button", name="Delete it all the same").click()
    expect(page.get_by_role("listitem").filter(has_text=name)).to_have_count(0)


def test_sub_agents_are_followed_until_both_are_back(page: Page, stack: Stack) -> None:
    session_id = families.supervisor(stack)
    page.goto(f"/c/{session_id}")

    say(page, "Ask sub-agents alpha and beta at once: Think for 3 seconds")

    expect(page.locator(".kin")).to_have_count(2)
    expect(page.locator("#strip")).to_have_text(
        re.compile(r"^Waiting for (alpha, beta|beta, alpha|alpha|beta)\.$")
    )
    expect(page.locator(".session__line .status__word")).to_have_text("Waiting")
    expect(page.locator(".kin .status__word")).to_have_text(["Done", "Done"])
    wait_status(page, "idle")
    expect(page.locator("[data-outcome=delegated]")).to_have_count(2)
    expect(page.locator("[data-outcome=completed]")).to_have_count(2)
    expect(page.locator("[data-outcome=completed]").first).to_contain_text("I thought for 3 seconds.")
    families.wait_results(stack, session_id, 2)
    wait_status(page, "idle")
    assert_reload_shows_the_same(page)
    page.get_by_text("Sub-agents 2").click()
    page.get_by_role("link", name="alpha", exact=True).click()
    expect(page.locator(".entry--user .verbatim")).to_have_text("Think for 3 seconds")
    page.locator(".session__up").get_by_role("link").click()
    page.wait_for_url(f"**/c/{session_id}")


def test_a_summary_is_shown_while_it_is_made_and_afterwards(page: Page, stack: Stack) -> None:
    session_id = str(stack.api.create()["id"])
    page.goto(f"/c/{session_id}")
    for count, text in enumerate(("Count to 2", "Count to 3"), start=1):
        say(page, text)
        expect(page.locator(".entry--agent")).to_have_count(count)
        wait_status(page, "idle")
    page.evaluate(WATCH)

    stack.api.post(session_id, {"type": "compact"})

    summary = page.locator(".entry--compaction")
    expect(summary).to_contain_text("goes on from a summary")
    expect(page.locator("#compacting")).to_have_count(0)
    assert page.evaluate("window.wasCompacting") is True
    summary.get_by_text("goes on from a summary").click()
    expect(summary.locator(".fold__body")).to_contain_text("Count to 2")
    expect(page.locator(".entry--user")).to_have_count(2)
    summary.get_by_text("goes on from a summary").click()
    assert_reload_shows_the_same(page)


def test_missing_tools_and_a_changed_agent_are_told(page: Page, stack: Stack, name: str) -> None:
    tools = {"notes": {"type": "mcp", "command": "no-such-program"}}

    def keep(**document: object) -> str:
        files = {"bundle": ("a.tar.gz", single(name=name, tools=tools, **document), "application/gzip")}
        answer = stack.api.http.post("/v1/agents", files=files)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    session_id = str(stack.api.create(agent_id=keep())["id"])
    page.goto(f"/c/{session_id}")
    say(page, "Count to 2")

    notices = page.locator(".notice")
    expect(notices).to_contain_text(["'notes' are not available"])
    wait_status(page, "idle")
    page.reload()
    expect(notices).to_contain_text(["'notes' are not available"])

    keep(description="Changed meanwhile")
    expect(notices).to_contain_text(["'notes' are not available", f"The agent changed: {name}"])
    page.get_by_text("Details").click()
    expect(page.locator("#agent")).to_contain_text("version 2")
    expect(page.locator("#agent")).to_contain_text("Changed meanwhile")
    page.get_by_role("button", name="Dismiss").first.click()
    expect(notices).to_have_count(1)
