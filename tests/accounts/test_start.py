"""Starting: which settings are refused, where the server may listen, and what it prints at first."""

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from omnigent.accounts.models import User
from tests.accounts.people import PASSWORD
from tests.api_plumbing.test_server_command import refused, running

PROXIES = "OMNIGENT_TRUSTED_PROXIES"


def ids() -> list[str]:
    return [str(each.id) for each in run_checks() if str(each.id).startswith("omnigent")]


def test_header_mode_needs_a_proxy(settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "header"

    [found] = [each for each in run_checks() if each.id == "omnigent.E005"]
    assert PROXIES in (found.hint or "")
    settings.OMNIGENT_TRUSTED_PROXIES = ("10.0.0.5",)
    assert ids() == []


@pytest.mark.parametrize("word", ["proxy", "10.0.0.0/33", "10.0.0.1/24", "0.0.0.0/0", "::/0", "10.0.0.5:80"])
@pytest.mark.parametrize("mode", ["header", "accounts"])
def test_what_is_no_proxy_is_an_error(settings: Any, mode: str, word: str) -> None:
    settings.OMNIGENT_AUTH_MODE = mode
    settings.OMNIGENT_TRUSTED_PROXIES = ("10.0.0.5", word)

    assert ids() == ["omnigent.E006"]


@pytest.mark.parametrize("name", ["X Forwarded", "X_Forwarded_Email", "X-Forwarded-Email:", "é"])
def test_what_is_no_header_is_an_error(settings: Any, name: str) -> None:
    settings.OMNIGENT_AUTH_MODE = "header"
    settings.OMNIGENT_TRUSTED_PROXIES = ("10.0.0.5",)
    settings.OMNIGENT_AUTH_HEADER = name

    assert ids() == ["omnigent.E007"]


def test_header_mode_does_not_start_without_a_proxy(tmp_path: Path) -> None:
    assert "omnigent.E005" in refused(tmp_path, OMNIGENT_AUTH_MODE="header")


def test_debug_pages_stay_on_the_machine(tmp_path: Path) -> None:
    message = refused(tmp_path, "--host", "0.0.0.0", OMNIGENT_AUTH_MODE="accounts", DEBUG="true")

    assert "DEBUG" in message


def test_a_weak_first_password_stops_the_start(tmp_path: Path) -> None:
    message = refused(
        tmp_path,
        "--migrate",
        OMNIGENT_AUTH_MODE="accounts",
        OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME="ada",
        OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD="admin",
    )

    assert "too short" in message
    assert "admin'" not in message


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    assert "OMNIGENT_AUTH_MODE" in refused(tmp_path, OMNIGENT_AUTH_MODE="open")


def test_with_accounts_it_listens_everywhere_and_prints_the_way_in_once(tmp_path: Path) -> None:
    with running(tmp_path, "--host", "0.0.0.0", OMNIGENT_AUTH_MODE="accounts") as (process, url):
        assert process.stdout is not None
        assert "/v1/setup" in process.stdout.readline()
        secret = process.stdout.readline().strip()
        here = url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{here}/v1/sessions").status_code == 401
        body = {"token": secret, "username": "ada", "password": PASSWORD}
        assert httpx.post(f"{here}/v1/setup", json=body).status_code == 201

    with running(tmp_path, OMNIGENT_AUTH_MODE="accounts") as (process, url):
        assert httpx.get(f"{url}/v1/info").json()["needs_setup"] is False
        assert httpx.post(f"{url}/v1/setup", json=body | {"username": "eve"}).status_code == 409
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert "omni_setup_" not in (tmp_path / "stderr").read_text()


def test_a_command_makes_an_administrator(db: None) -> None:
    out = io.StringIO()

    call_command("create_admin", "ada", stdout=out, stdin=io.StringIO(f"{PASSWORD}\n"))

    assert out.getvalue() == "ada is an administrator\n"
    assert User.objects.get().is_staff
    assert User.objects.get().check_password(PASSWORD)
    with pytest.raises(CommandError, match="too short"):
        call_command("create_admin", "eve", stdin=io.StringIO("short\n"))
