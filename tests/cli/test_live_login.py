"""Logging in to a real server with accounts, by a code and by a token."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.cli.commands import Shell
from tests.e2e.program import Program, python, wait_for
from tests.e2e.stack import Flavour, is_healthy, server_environ
from tests.services.processes import free_port, private_directory

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ACCOUNTS = Flavour(name="accounts", server="daphne", replicas=1, environ={"OMNIGENT_AUTH_MODE": "accounts"})
PASSWORD = "correct horse battery staple"
SETUP_TOKEN = re.compile(r"24 hours:\n(\S+)\n")


class Ada:
    """The first administrator, in a browser: a cookie, and an Origin of the server's own."""

    def __init__(self, server: Program, url: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, headers={"Origin": url, "Sec-Fetch-Site": "same-origin"}, timeout=30
        )
        found = wait_for(lambda: SETUP_TOKEN.search(server.log()), seconds=10, what="the setup token")
        assert found is not None
        body = {"token": found[1], "username": "ada", "password": PASSWORD}
        made = self.http.post("/v1/setup", json=body)
        assert made.is_success, made.text

    def decide(self, code: str, decision: str) -> None:
        """Confirm or deny the code of a program."""
        page = self.http.get("/device", params={"user_code": code})
        assert page.status_code == 200 and "omnigent on " in page.text, page.text
        fields = dict(re.findall(r'name="(csrfmiddlewaretoken)" value="([^"]+)"', page.text))
        form = {**fields, "user_code": code, "decision": decision}
        done = self.http.post("/device", data=form)
        assert done.status_code == 200, done.text


@pytest.fixture(scope="module")
def ada() -> Iterator[Ada]:
    """A server with accounts, and its first administrator."""
    with private_directory("cli-accounts") as directory:
        port = free_port()
        environ = server_environ(ACCOUNTS, directory, port, None)
        server = Program(
            "server", python("-m", "omnigent.server", "--migrate"), environ=environ, directory=directory
        )
        server.start()
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: is_healthy(url), seconds=60, what="the server", every=0.1)
            browser = Ada(server, url)
            yield browser
            browser.http.close()
        finally:
            server.stop()


@pytest.fixture
def shell(ada: Ada, request: pytest.FixtureRequest) -> Shell:
    """A program of somebody who is not logged in."""
    return Shell(ada.url, request.getfixturevalue("tmp_path"))


@pytest.mark.parametrize(
    ("decision", "code", "words"), [("approve", 0, "as ada"), ("deny", 1, "the login was refused")]
)
def test_a_person_decides_in_a_browser(ada: Ada, shell: Shell, decision: str, code: int, words: str) -> None:
    assert shell.run("sessions").code == 1
    with shell.start("login") as process:
        assert process.stdout is not None
        process.stdout.readline()
        shown = process.stdout.readline().split()[-1]

        ada.decide(shown, decision)

        out, err = process.communicate(timeout=60)
    assert process.returncode == code, (out, err)
    assert words in out + err
    assert shell.run("sessions").code == (0 if decision == "approve" else 1)


def test_a_token_lets_a_program_in_until_logout(ada: Ada, shell: Shell) -> None:
    made = ada.http.post("/v1/tokens", json={"name": "script", "scopes": ["write"]})
    assert made.is_success, made.text
    secret = made.json()["token"]

    assert "as ada" in shell.good("login", "--token", stdin=f"{secret}\n")
    assert shell.good("sessions") == ""
    shell.good("logout")

    done = shell.run("sessions")
    assert (done.code, "omnigent login" in done.err) == (1, True)
    assert shell.run("sessions", OMNIGENT_TOKEN=secret).code == 0
