"""What tests read from the session page."""

from playwright.sync_api import Page

from tests.e2e.program import wait_for

TRANSCRIPT = """() => {
  const copy = document.getElementById("transcript").cloneNode(true);
  copy.querySelectorAll("time").forEach((time) => time.remove());
  return copy.innerHTML.replace(/\\s+/g, " ").replaceAll("> <", "><").trim();
}"""


def transcript(page: Page) -> str:
    """The transcript's HTML, without times and layout space."""
    return str(page.evaluate(TRANSCRIPT))


def say(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.keyboard.press("Enter")


def wait_status(page: Page, status: str) -> None:
    page.wait_for_selector(f"#main[data-status={status}]", state="attached")


def wait_still(page: Page) -> str:
    """The transcript once it no longer changes: everything finished has been replaced by its stored form."""
    seen: list[str] = []

    def is_still() -> bool:
        seen.append(transcript(page))
        return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]

    wait_for(is_still, seconds=15, what="a still transcript", every=0.25)
    return seen[-1]


def assert_reload_shows_the_same(page: Page) -> None:
    live = wait_still(page)
    page.reload()
    assert wait_still(page) == live
