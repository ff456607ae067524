"""The policy screen in a browser: an operator adds a policy, a person approves, an auditor reads the log."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import WAIT_MS
from tests.browser.reading import say
from tests.e2e.stack import Stack

POLICIES = "/admin/policies_app/defaultpolicy/"
SHELL = "Run the shell command: echo hi"


@pytest.fixture(autouse=True)
def without_policies(stack: Stack) -> Iterator[None]:
    """The server is shared with other tests: what is added here holds only here."""
    yield
    for policy in stack.api.get("/v1/policies")["data"]:
        stack.api.http.delete(f"/v1/policies/{policy['id']}")


def add_policy(page: Page, handler: str, **fields: str) -> None:
    """From the list to the list, by the picker and the form; fields by their labels."""
    page.goto(POLICIES)
    page.get_by_role("link", name="Add a policy").click()
    page.get_by_role("link", name=handler).click()
    for label, value in fields.items():
        page.get_by_label(label).fill(value)
    page.get_by_label("It takes effect in every session").check()
    page.get_by_role("button", name="Add to every session").click()


def test_an_operator_adds_a_policy_a_person_approves_and_an_auditor_finds_both(
    page: Page, context: BrowserContext, stack: Stack
) -> None:
    add_policy(page, "Ask on OS tools")
    expect(page.get_by_text("is added. It holds in every session.")).to_be_visible()

    session_id = str(stack.api.create(title="Say hi")["id"])
    person = context.new_page()
    person.goto(f"/c/{session_id}")
    say(person, SHELL)
    expect(person.get_by_role("button", name="Approve")).to_be_visible()

    page.get_by_role("link", name="Approvals").click()
    row = page.get_by_role("row").filter(has_text="Say hi")
    expect(row).to_contain_text("ask_on_os_tools")
    expect(row).to_contain_text("echo hi")
    row.get_by_role("link", name="Look and answer").click()
    page.get_by_role("button", name="Approve").click()
    expect(person.get_by_role("button", name="Approve")).to_have_count(0)
    stack.api.wait_status(session_id, "idle", seconds=30)

    page.goto("/admin/policies_app/decision/")
    page.get_by_label("Session").fill(session_id)
    page.get_by_label("Session").press("Enter")
    asked = page.get_by_role("row").filter(has=page.locator(".pill-ask"))
    expect(asked).to_contain_text("ask_on_os_tools")
    # The same call again, from where the question left off.
    allowed = page.get_by_role("row").filter(has=page.locator(".pill-allow")).filter(has_text="sys_os_shell")
    expect(allowed.first).to_be_visible()
    asked.get_by_role("link").first.click()
    expect(page.locator(".input")).to_contain_text("echo hi")

    page.goto("/admin/policies_app/decision/")
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_role("heading", name="The chain verifies")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_another_handler_brings_its_own_parameters(chromium: Browser, stack: Stack, scripts: bool) -> None:
    context = chromium.new_context(base_url=stack.url, java_script_enabled=scripts)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(f"{POLICIES}add/?handler=omnigent.policies.block_long_sleep")
    expect(page.get_by_label("max_seconds")).to_have_value("5")

    page.get_by_label("Handler").select_option(label="Block skills")
    if not scripts:
        page.get_by_role("button", name="Show its parameters").click()
    expect(page.get_by_label("blocked")).to_be_visible()
    expect(page.get_by_label("max_seconds")).to_have_count(0)

    page.get_by_label("It takes effect in every session").check()
    page.get_by_role("button", name="Add to every session").click()
    expect(page.locator(".field-wrong").get_by_role("alert")).to_contain_text("equires 'blocked'")
    page.get_by_label("blocked").fill("deploy")
    page.get_by_role("button", name="Add to every session").click()
    expect(page.get_by_role("link", name="block_skills", exact=True)).to_be_visible()
    context.close()


def test_switching_off_is_asked_about(page: Page, stack: Stack) -> None:
    add_policy(page, "Block long sleep")
    page.get_by_role("link", name="Disable").click()
    expect(page.get_by_role("heading", name="Disable “block_long_sleep”?")).to_be_visible()
    expect(page.get_by_text("This affects every session")).to_be_visible()

    page.get_by_role("button", name="Disable in every session").click()

    expect(page.locator(".pill-off")).to_be_visible()
    assert [row["enabled"] for row in stack.api.get("/v1/policies")["data"]] == [False]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone(chromium: Browser, stack: Stack, scheme: str) -> None:
    context = chromium.new_context(
        base_url=stack.url,
        viewport={"width": 360, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for path in (POLICIES, f"{POLICIES}add/", f"{POLICIES}add/?handler=url", "/admin/policies_app/decision/"):
        page.goto(path)
        width, visible = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= visible, path
    context.close()
