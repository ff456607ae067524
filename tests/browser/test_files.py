"""A session's files in a browser: what changed, what is there, and that nothing in them becomes markup."""

import re
import subprocess
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.stack import Stack

SECONDS = 60
GIT = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
SHELL = "Run the shell command: "
OWNED = "() => document.title.includes('owned') || document.querySelector('#main img, #main script') !== null"


@pytest.fixture
def root(stack: Stack) -> Path:
    """A repository with two committed files, one of them below a directory."""
    root = stack.home / f"project-{uuid.uuid4().hex[:8]}"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "notes.txt").write_text("".join(f"line {number}\n" for number in range(1, 31)))
    (root / "src" / "deep" / "well.py").write_text("DEPTH = 3\n")
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "Begin")):
        subprocess.run([*GIT, *command], cwd=root, check=True)
    return root


@pytest.fixture
def session(stack: Stack, root: Path) -> str:
    """A session in the repository, whose agent has written a file."""
    session_id = str(stack.api.create(workspace=str(root), title="Dig a well")["id"])
    ask(stack, session_id, "Write fresh water to src/water.txt")
    return session_id


def ask(stack: Stack, session_id: str, text: str) -> None:
    """Let the scripted agent do something, and wait until it has."""
    before = len(stack.api.items(session_id))
    stack.api.message(session_id, text)
    stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    assert len(stack.api.items(session_id)) > before + 1


def complaints_of(page: Page) -> list[str]:
    """What the console is told from now on."""
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    return told


def selected(page: Page) -> str:
    return page.locator("#list [aria-current] .path__name").inner_text()


def test_what_the_agent_wrote_is_listed_with_its_difference(
    page: Page, stack: Stack, session: str, root: Path
) -> None:
    told = complaints_of(page)
    ask(stack, session, f"{SHELL}sed -i 's/^line 9$/line nine/' notes.txt; rm src/deep/well.py")
    page.goto(f"/c/{session}")
    page.get_by_role("link", name="Files", exact=True).click()

    changes = page.locator("#list .path")
    expect(changes).to_have_count(3)
    expect(page.locator("#list .change")).to_have_text(["Modified", "Deleted", "Added"])
    expect(page.locator("#note")).to_have_text("3 changed files")
    expect(page.locator("#view")).to_contain_text("Select a file")

    page.get_by_role("link", name="notes.txt").click()
    expect(page.locator("tr[data-kind=removed] .diff__text")).to_have_text(["line 9"])
    expect(page.locator("tr[data-kind=added] .diff__text")).to_have_text(["line nine"])
    expect(page.locator("tr[data-kind=same] .diff__text")).to_have_text(
        [f"line {number}" for number in (6, 7, 8, 10, 11, 12)]
    )
    expect(page.locator(".diff__gap")).to_have_text(["5 unchanged lines", "18 unchanged lines"])
    colours = [
        page.locator(f"tr[data-kind={kind}]").first.evaluate("(row) => getComputedStyle(row).backgroundColor")
        for kind in ("same", "removed", "added")
    ]
    assert len(set(colours)) == 3

    page.get_by_role("link", name="well.py").click()
    expect(page.locator("tr[data-kind=removed] .diff__text")).to_have_text(["DEPTH = 3"])
    expect(page.get_by_role("link", name="Download")).to_have_count(0)
    page.get_by_role("link", name="water.txt").click()
    expect(page.locator("tr[data-kind=added] .diff__text")).to_have_text(["fresh water"])
    assert told == []


def test_directories_are_walked_into_and_files_read(page: Page, session: str) -> None:
    told = complaints_of(page)
    page.goto(f"/c/{session}/files")
    page.locator(".browse__tabs").get_by_role("link", name="Files").click()
    entries = page.locator("#list .path__name")
    expect(entries).to_have_text([".git/", "src/", "notes.txt"])

    page.get_by_role("link", name="src/").click()
    expect(page.locator("#list .path__name")).to_have_text(["deep/", "water.txt"])
    page.get_by_role("link", name="deep/").click()
    page.get_by_role("link", name="well.py").click()

    expect(page.locator(".text__lines")).to_have_text("DEPTH = 3\n")
    expect(page.locator("#crumbs a")).to_have_text(["workspace", "src", "deep"])
    expect(page.locator("#crumbs [aria-current=page]")).to_have_text("deep")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_text() == "DEPTH = 3\n"
    page.locator("#crumbs").get_by_role("link", name="src", exact=True).click()
    expect(page.locator("#list .path__name")).to_have_text(["deep/", "water.txt"])
    assert told == []


def test_back_and_reload_keep_the_place(page: Page, session: str) -> None:
    page.goto(f"/c/{session}/files")
    page.get_by_role("link", name="water.txt").click()
    page.get_by_role("link", name="Whole file").click()
    expect(page.locator(".text__lines")).to_contain_text("fresh water")
    assert selected(page) == "water.txt"

    page.reload()
    expect(page.locator(".text__lines")).to_contain_text("fresh water")
    expect(page.locator("#crumbs [aria-current=page]")).to_have_text("src")
    assert selected(page) == "water.txt"

    page.go_back()
    expect(page.locator("tr[data-kind=added] .diff__text")).to_have_text(["fresh water"])
    assert selected(page) == "water.txt"
    page.go_back()
    expect(page.locator("#view")).to_contain_text("Select a file")
    page.go_forward()
    expect(page.locator("tr[data-kind=added]")).to_have_count(1)


def test_files_are_found_by_name(page: Page, session: str) -> None:
    page.goto(f"/c/{session}/files")
    page.get_by_role("searchbox", name="Find files by name").fill("WELL")
    page.keyboard.press("Enter")

    found = page.get_by_role("link", name="well.py")
    expect(found).to_contain_text("src/deep")
    found.click()
    expect(page.locator(".text__lines")).to_have_text("DEPTH = 3\n")
    page.reload()
    expect(page.locator(".text__lines")).to_have_text("DEPTH = 3\n")
    expect(page.get_by_role("searchbox")).to_have_value("WELL")

    page.get_by_role("searchbox").fill("nothing is called that")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#list")).to_have_text("Nothing has that in its name.")


def test_names_and_contents_never_become_markup(page: Page, session: str, root: Path) -> None:
    told = complaints_of(page)
    directory = root / f"{HOSTILE}?a=b#c%2e"
    directory.mkdir()
    (directory / f"{HOSTILE}.html").write_text(f"{HOSTILE}<script>document.title='owned'</script>\n")
    page.goto(f"/c/{session}/files")

    page.get_by_role("link", name=f"{HOSTILE}.html").click()
    shown = re.compile(r"^<img src=x.*</script>$")
    expect(page.locator("tr[data-kind=added] .diff__text")).to_have_text(shown)
    expect(page.locator(".view__name")).to_have_text(f"{directory.name}/{HOSTILE}.html")
    page.get_by_role("link", name="Whole file").click()
    expect(page.locator(".text__lines")).to_have_text(re.compile(r"^<img src=x.*</script>\s*$"))
    expect(page.locator("#crumbs a")).to_have_text(["workspace", directory.name])
    expect(page.locator("#list .path__name")).to_have_text([f"{HOSTILE}.html"])

    page.get_by_role("searchbox").fill(HOSTILE)
    page.keyboard.press("Enter")
    expect(page.locator("#list .path__name")).to_have_text([f"{directory.name}/", f"{HOSTILE}.html"])
    assert not page.evaluate(OWNED)
    assert told == []


def test_what_cannot_be_shown_is_said_and_can_be_had(page: Page, session: str, root: Path) -> None:
    (root / "picture.bin").write_bytes(bytes(range(256)) * 4)
    (root / "long.txt").write_text("0123456789abcde\n" * 20_000)
    (root / "huge.txt").write_bytes(b"x" * (5 * 1024 * 1024))
    page.goto(f"/c/{session}/files?show=files&file=picture.bin")
    expect(page.locator("#view")).to_contain_text("This file is not text")
    expect(page.get_by_role("link", name="Download")).to_have_attribute(
        "href", re.compile(r"/filesystem/picture\.bin\?download=true$")
    )

    page.get_by_role("link", name="long.txt").click()
    expect(page.locator(".view__note")).to_contain_text("Only the first 256 KiB of 312.5 KiB are shown")
    assert len(page.locator(".text__lines").inner_text()) <= 256 * 1024
    page.get_by_role("link", name="huge.txt").click()
    expect(page.locator("#view")).to_contain_text("too large to be shown here, 5 MiB")


def test_a_long_directory_is_shown_in_parts(page: Page, session: str, root: Path) -> None:
    (root / "many").mkdir()
    for number in range(510):
        (root / "many" / f"{number:03}").touch()
    page.goto(f"/c/{session}/files?show=files&dir=many")
    expect(page.locator("#note")).to_have_text("More than 500 entries")
    expect(page.locator("#list .path")).to_have_count(500)

    page.get_by_role("button", name="Show more").click()

    expect(page.locator("#list .path")).to_have_count(510)
    expect(page.locator("#note")).to_have_text("510 entries")
    expect(page.get_by_role("link", name="500 0 B", exact=True)).to_be_focused()
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)


def test_a_change_shows_by_itself_in_an_open_page(page: Page, stack: Stack, session: str) -> None:
    page.goto(f"/c/{session}/files?file=src/water.txt")
    expect(page.locator("tr[data-kind=added] .diff__text")).to_have_text(["fresh water"])
    page.wait_for_selector("#main[data-connection=open]")

    ask(stack, session, f"{SHELL}echo salt > src/water.txt; echo more > later.txt")

    expect(page.locator("#list .path__name")).to_have_text(["later.txt", "water.txt"])
    expect(page.locator("tr[data-kind=added] .diff__text")).to_have_text(["salt"])
    assert selected(page) == "water.txt"


def test_a_refusal_is_said_and_tried_again(page: Page, stack: Stack, session: str) -> None:
    nobody = stack.api.create(host_id=None)["id"]
    page.goto(f"/c/{nobody}/files")
    expect(page.get_by_role("alert")).to_contain_text("The session has no runner yet")

    refused: list[bool] = []

    def refuse_once(route: Route) -> None:
        if refused:
            return route.continue_()
        refused.append(True)
        route.fulfill(status=503, json={"error": {"code": "runner_unavailable", "message": "<b>Gone</b>"}})

    page.route("**/changes", refuse_once)
    page.goto(f"/c/{session}/files")
    expect(page.get_by_role("alert")).to_contain_text("<b>Gone</b>")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="water.txt")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_address_leads_nowhere_but_into_the_workspace(page: Page, session: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"/c/{session}/files?show=files&dir=../../../src/./&file=/../src//water.txt")

    expect(page.locator(".text__lines")).to_contain_text("fresh water")
    expect(page.locator("#crumbs a")).to_have_text(["workspace", "src"])
    of_files = [url for url in asked if "/v1/" in url and "/stream?" not in url]
    assert of_files and all("/filesystem/src" in url for url in of_files)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_the_keyboard(chromium: Browser, stack: Stack, session: str, scheme: str) -> None:
    context = chromium.new_context(
        base_url=stack.url,
        viewport={"width": 375, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()

    def assert_fits() -> None:
        width, visible = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= visible

    page.goto(f"/c/{session}/files")
    link = page.get_by_role("link", name="water.txt")
    expect(link).to_be_visible()
    assert_fits()
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-kind=added]")).to_be_visible()
    expect(link).to_be_hidden()
    expect(page.locator("#view")).to_be_focused()
    assert_fits()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Back to the list")).to_be_focused()
    page.keyboard.press("Enter")
    expect(link).to_be_focused()
    context.close()


def test_without_scripts_it_says_so(chromium: Browser, stack: Stack, session: str) -> None:
    context = chromium.new_context(base_url=stack.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/c/{session}/files")

    # Playwright's browser without scripts does not lay the element out as one that has none does.
    told = page.locator("noscript").evaluate("(element) => element.textContent")
    assert "This page needs JavaScript" in told
    expect(page.locator("#panes")).to_be_hidden()
    expect(page.get_by_role("button", name="Refresh")).to_be_hidden()
    page.locator(".session__up").get_by_role("link").click()
    expect(page.locator(".entry--user")).to_contain_text("fresh water")
    context.close()
