"""Take the pictures of the documentation: a fresh server, a scripted session, its pages.

`python -m scripts.screenshots` takes those of the README, in light, dark and on a phone; with `policies`,
those of the operators' policy screen.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from scripts import policy_pictures
from scripts.programs import find
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.services.processes import private_directory

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
PROMPTS = ("Run the shell command: uname -sm; echo hello", "Call 3 tools at once", "Count to 12 slowly")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """One picture."""

    name: str
    path: str
    width: int = 1200
    height: int = 860
    scheme: str = "light"


SHOTS = (
    Shot(name="list", path="/"),
    Shot(name="new", path="/new"),
    Shot(name="session", path="/c/{session}"),
    Shot(name="session-dark", path="/c/{session}", scheme="dark"),
    Shot(name="session-phone", path="/c/{session}", width=390, height=844),
)


ADMIN = "/admin/policies_app"
POLICY_SHOTS = tuple(
    Shot(name=f"policies-{name}", path=path, width=1280)
    for name, path in (
        ("list", f"{ADMIN}/defaultpolicy/"),
        ("picker", f"{ADMIN}/defaultpolicy/add/"),
        ("form", f"{ADMIN}/defaultpolicy/{{policy}}/change/"),
        ("confirm", f"{ADMIN}/defaultpolicy/{{policy}}/disable/"),
        ("history", f"{ADMIN}/defaultpolicy/history/{{history}}/"),
        ("try", f"{ADMIN}/defaultpolicy/{{policy}}/try/"),
        ("decisions", f"{ADMIN}/decision/"),
        ("decision", f"{ADMIN}/decision/{{decision}}/change/"),
        ("approvals", "/admin/sessions_app/elicitation/"),
        ("kill-switch", f"{ADMIN}/killswitch/add/"),
    )
)


def populate(stack: Stack) -> dict[str, str]:
    """A few sessions with something to see; the id of the first."""
    sessions = []
    for prompt in PROMPTS:
        session_id = str(stack.api.create()["id"])
        stream = stack.stream(session_id)
        stack.api.message(session_id, prompt)
        stream.wait_settled()
        sessions.append(session_id)
    return {"session": sessions[0]}


PARTS: Mapping[str, tuple[Callable[[Stack], Mapping[str, str]], Sequence[Shot]]] = {
    "pages": (populate, SHOTS),
    "policies": (policy_pictures.populate, POLICY_SHOTS),
}


def take(browser: Browser, shot: Shot, url: str, names: Mapping[str, str]) -> None:
    """One picture of one page."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(url + shot.path.format_map(names), wait_until="load")
    page.screenshot(path=IMAGES / f"{shot.name}.png")
    context.close()
    print(f"docs/images/{shot.name}.png", flush=True)


def main(part: str) -> None:
    """Start, populate, photograph."""
    fill, shots = PARTS[part]
    chromium = find("chromium")
    if chromium is None:
        sys.exit("needs chromium; install with: make deps-system")
    IMAGES.mkdir(parents=True, exist_ok=True)
    flavour = Flavour(name="pictures", server="daphne", replicas=1)
    with private_directory("pictures") as directory, sync_playwright() as playwright:
        os.chown(directory, os.geteuid(), os.getegid())
        with running_stack(flavour, directory) as stack:
            names = fill(stack)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for shot in shots:
                take(browser, shot, stack.replica_url(0), names)
            browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "pages")
