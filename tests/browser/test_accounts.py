"""Accounts in a browser: from an empty server to two people who see their own sessions only."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.accounts.issuer import Provider, running_provider
from tests.accounts.test_single_sign_on import settings_for
from tests.api_plumbing.test_server_command import running
from tests.browser.conftest import WAIT_MS

PASSWORD = "a perfectly fine passphrase"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A server that nobody has set up: its address and its setup token."""
    with running(tmp_path, OMNIGENT_AUTH_MODE="accounts") as (process, url):
        assert process.stdout is not None
        assert "setup" in process.stdout.readline()
        yield url, process.stdout.readline().strip()


def open_page(chromium: Browser, url: str, **options: object) -> Page:
    """A browser of one person; `scripts=False` takes their scripts away."""
    context: BrowserContext = chromium.new_context(base_url=url, **options)  # type: ignore[arg-type]  # options of Playwright's own
    context.set_default_timeout(WAIT_MS)
    return context.new_page()


def fill_account(page: Page, name: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)


def log_out_and_in(page: Page, name: str) -> None:
    """End the login and begin another one, on the second attempt, by way of the account page."""
    page.get_by_role("button", name="Log out").click()
    page.goto("/account")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("Wrong username or password")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def make_token(page: Page, name: str) -> str:
    """Create a write token on the account page; its secret."""
    page.get_by_text("New token", exact=True).click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("radio", name="write").check()
    page.get_by_role("button", name="Create token").click()
    return page.locator(".secret__text code").inner_text()


def make_session(url: str, token: str, title: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    agents = httpx.get(f"{url}/v1/agents", headers=headers).json()["data"]
    body = {"agent_id": agents[0]["id"], "title": title}
    assert httpx.post(f"{url}/v1/sessions", json=body, headers=headers).status_code == 201


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_from_setup_to_a_second_person(chromium: Browser, empty: tuple[str, str], scripts: bool) -> None:
    url, setup_token = empty
    ada = open_page(chromium, url, java_script_enabled=scripts)
    ada.goto("/")
    ada.get_by_role("link", name="Set the server up").click()
    ada.get_by_label("Setup token").fill(setup_token)
    fill_account(ada, "ada")
    ada.get_by_role("button", name="Make the administrator").click()
    expect(ada.get_by_role("heading", name="ada")).to_be_visible()

    log_out_and_in(ada, "ada")
    assert ada.url == f"{url}/account"

    make_session(url, make_token(ada, "laptop"), "Ada's own work")
    ada.goto("/account")
    expect(ada.get_by_text("laptop", exact=True)).to_be_visible()
    ada.get_by_role("link", name="People").click()
    ada.get_by_role("button", name="Make a link").click()
    link = ada.locator(".secret__text code").inner_text()

    ines = open_page(chromium, url, java_script_enabled=scripts)
    ines.goto(link)
    fill_account(ines, "ines")
    ines.get_by_role("button", name="Accept the invitation").click()
    expect(ines.get_by_role("link", name="ines")).to_be_visible()
    expect(ines.get_by_text("Start the first session")).to_be_visible()
    ines.get_by_role("link", name="ines").click()
    make_session(url, make_token(ines, "desktop"), "Ines's own work")
    ines.goto("/")
    expect(ines.get_by_role("link", name="Ines's own work")).to_be_visible()
    expect(ines.get_by_role("link", name="Ada's own work")).to_have_count(0)

    ada.goto("/account/people")
    ada.get_by_role("form", name="Change ines").get_by_role("button", name="Lock out").click()
    expect(ada.get_by_text("Locked out")).to_be_visible()
    ines.goto("/")
    expect(ines.get_by_role("heading", name="Log in")).to_be_visible()
    ada.context.close()
    ines.context.close()


def test_a_program_is_let_in(chromium: Browser, empty: tuple[str, str]) -> None:
    url, setup_token = empty
    body = {"token": setup_token, "username": "ada", "password": PASSWORD}
    assert httpx.post(f"{url}/v1/setup", json=body).status_code == 201
    begun = httpx.post(f"{url}/v1/device/code", json={"client_name": "omnigent on laptop"}).json()

    page = open_page(chromium, url)
    page.goto(begun["verification_uri_complete"])
    fill_account(page, "ada")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Let omnigent on laptop in?")).to_be_visible()
    expect(page.locator(".code")).to_have_text(begun["user_code"])
    page.get_by_role("button", name="Let it in").click()
    expect(page.get_by_role("heading", name="omnigent on laptop is let in")).to_be_visible()

    got = httpx.post(f"{url}/v1/device/token", json={"device_code": begun["device_code"]}).json()
    headers = {"Authorization": f"Bearer {got['access_token']}"}
    assert httpx.get(f"{url}/v1/me", headers=headers).json()["user_id"] == "ada"
    page.get_by_role("link", name="your account").click()
    page.get_by_role("button", name="End access of omnigent on laptop").click()
    assert httpx.get(f"{url}/v1/me", headers=headers).status_code == 401
    page.context.close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as running_one:
        yield running_one


def test_another_service_logs_a_person_in(chromium: Browser, provider: Provider, tmp_path: Path) -> None:
    with running(tmp_path, **settings_for(provider)) as (_, url):
        page = open_page(chromium, url)
        refusals: list[str] = []
        page.on("console", lambda message: refusals.append(message.text))
        page.goto("/account")
        page.get_by_role("link", name="Log in with Example").click()

        expect(page.get_by_role("heading", name="ines@example.org")).to_be_visible()
        assert page.url == f"{url}/account"
        assert refusals == []
        page.get_by_role("button", name="Log out").click()
        provider.person["email_verified"] = False
        page.get_by_role("link", name="Log in with Example").click()
        expect(page.get_by_role("alert")).to_contain_text("not verified")
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone(chromium: Browser, empty: tuple[str, str], scheme: str) -> None:
    url, setup_token = empty
    page = open_page(chromium, url, viewport={"width": 360, "height": 740}, color_scheme=scheme)

    def assert_fits() -> None:
        width, visible = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(part) for part in re.findall(r"\d+", background)[:3]) / 3
        assert width <= visible, page.url
        assert (brightness < 80) == (scheme == "dark")

    for path in ("/login", "/setup", "/invite/unknown"):
        page.goto(path)
        assert_fits()
    page.goto("/setup")
    page.get_by_label("Setup token").fill(setup_token)
    fill_account(page, "a-rather-long-name.of-somebody@a-long-domain.example.org")
    page.get_by_role("button", name="Make the administrator").click()
    make_token(page, "a token with a rather long name that has to fit somewhere")
    assert_fits()
    page.goto("/account/people")
    page.get_by_role("button", name="Make a link").click()
    assert_fits()
    begun = httpx.post(f"{url}/v1/device/code", json={"client_name": "x" * 100}).json()
    for path in ("/account", "/device", f"/device?user_code={begun['user_code']}", "/"):
        page.goto(path)
        assert_fits()
    page.context.close()
