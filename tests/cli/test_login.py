"""Logging in and out, against a server made of a list of answers."""

import io
import json
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from omnigent_client.cli.main import run
from omnigent_client.cli.surroundings import Surroundings
from tests.client.scripted_server import Answer, Handler, ScriptedServer, good, refusal

SERVER = "https://omnigent.test"
GRANT = {
    "device_code": "secret-device-code",
    "user_code": "WDJB-MJHT",
    "verification_uri": f"{SERVER}/device",
    "verification_uri_complete": f"{SERVER}/device?user_code=WDJB-MJHT",
    "expires_in": 600,
    "interval": 5,
}
ACCOUNTS = good(single_user=False)
ME = good(user_id="ada")
TOKEN = good(access_token="omni_token_1", token_type="Bearer")


def pending(word: str) -> httpx.Response:
    """The device route's refusal, in the words of RFC 8628."""
    return httpx.Response(400, json={"error": word, "detail": {"code": word, "message": "no"}})


class Person:
    """Runs commands in process, with a home of their own; `waits` are the seconds that were slept."""

    def __init__(self, home: Path, stdin: str = "", **environ: str) -> None:
        self.environ = {"HOME": str(home), "TERM": "dumb", **environ}
        self.stdin = stdin
        self.waits: list[float] = []
        self.out = ""
        self.err = ""
        self.server = ScriptedServer()

    @property
    def file(self) -> Path:
        """Where the tokens are."""
        return Path(self.environ["HOME"]) / ".config/omnigent/credentials.json"

    def run(self, *arguments: str, answers: tuple[Answer | Handler, ...] = ()) -> int:
        """One command's exit code."""
        self.server = ScriptedServer(*answers)
        stdout, stderr = io.StringIO(), io.StringIO()

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        code = run(
            arguments,
            Surroundings(
                environ=self.environ,
                stdin=io.StringIO(self.stdin),
                stdout=stdout,
                stderr=stderr,
                sleep=sleep,
                transport=self.server,
            ),
        )
        self.out, self.err = stdout.getvalue(), stderr.getvalue()
        return code

    def tokens(self) -> dict[str, Any]:
        """What is stored, by server."""
        stored: dict[str, Any] = json.loads(self.file.read_text())["servers"]
        return stored


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Somebody new."""
    return Person(tmp_path)


def test_a_code_is_shown_and_polled_for_until_it_is_confirmed(person: Person) -> None:
    answers = (ACCOUNTS, good(**GRANT), pending("authorization_pending"), pending("slow_down"), TOKEN, ME)

    assert person.run("--server", SERVER, "login", answers=answers) == 0

    assert f"Open {SERVER}/device?user_code=WDJB-MJHT" in person.out
    assert "the code WDJB-MJHT" in person.out
    assert f"Logged in to {SERVER} as ada." in person.out
    assert person.waits == [5.0, 5.0, 10.0]
    begun, polled, seen = person.server.requests[1], person.server.requests[2], person.server.requests[-1]
    assert json.loads(begun.content)["client_name"].startswith("omnigent on ")
    assert json.loads(polled.content) == {"device_code": "secret-device-code"}
    assert seen.headers["authorization"] == "Bearer omni_token_1"
    assert "secret-device-code" not in person.out + person.err
    assert "omni_token_1" not in person.out + person.err
    assert person.tokens() == {SERVER: {"token": "omni_token_1"}}
    assert stat.S_IMODE(person.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(person.file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("word", "shown"), [("access_denied", "refused"), ("expired_token", "expired"), ("odd", "(http_400)")]
)
def test_a_login_that_is_not_confirmed_stores_nothing(person: Person, word: str, shown: str) -> None:
    assert person.run("--server", SERVER, "login", answers=(ACCOUNTS, good(**GRANT), pending(word))) == 1

    assert person.err.startswith("omnigent: ") and shown in person.err
    assert person.err.count("\n") == 1
    assert not person.file.exists()


def test_the_words_may_come_in_the_api_s_own_envelope(person: Person) -> None:
    later = refusal(400, "authorization_pending")

    assert person.run("--server", SERVER, "login", answers=(ACCOUNTS, good(**GRANT), later, TOKEN, ME)) == 0


def test_what_the_server_wants_shown_cannot_steer_the_terminal(person: Person) -> None:
    grant = {**GRANT, "user_code": "A\x1b[2J\nB", "verification_uri_complete": "/device?\x1b]0;x\x07"}

    person.run("--server", SERVER, "login", answers=(ACCOUNTS, good(**grant), TOKEN, ME))

    assert "\x1b" not in person.out and "\x07" not in person.out
    assert f"Open {SERVER}/device?␛]0;x␇\n" in person.out


def test_a_server_without_the_route_says_what_else_works(person: Person) -> None:
    assert person.run("--server", SERVER, "login", answers=(ACCOUNTS, refusal(404, "not_found"))) == 1

    assert "omnigent login --token" in person.err


@pytest.mark.parametrize("grant", [{}, {"device_code": 1}, {**GRANT, "user_code": None}])
def test_a_grant_that_makes_no_sense_is_refused(person: Person, grant: dict[str, Any]) -> None:
    assert person.run("--server", SERVER, "login", answers=(ACCOUNTS, good(**grant))) == 1

    assert "no code" in person.err


def test_a_token_is_read_from_standard_input_and_tried(tmp_path: Path) -> None:
    person = Person(tmp_path, stdin="omni_pat_1\n")

    assert person.run("--server", f"{SERVER}/", "login", "--token", answers=(ME,)) == 0

    assert person.server.headers("authorization") == ["Bearer omni_pat_1"]
    assert person.tokens() == {SERVER: {"token": "omni_pat_1"}}


@pytest.mark.parametrize("text", ["", "two words\n", "break\x1b\n", "ünicode\n"])
def test_what_is_no_token_is_never_sent(tmp_path: Path, text: str) -> None:
    person = Person(tmp_path, stdin=text)

    assert person.run("--server", SERVER, "login", "--token") == 1

    assert person.server.requests == []
    assert person.err == "omnigent: that is not a token\n"


def test_a_token_that_the_server_refuses_is_not_kept(tmp_path: Path) -> None:
    person = Person(tmp_path, stdin="omni_old\n")

    assert person.run("--server", SERVER, "login", "--token", answers=(refusal(401, "unauthorized"),)) == 1

    assert not person.file.exists()
    assert "omni_old" not in person.err


def test_each_server_has_a_token_and_the_last_one_is_the_default(tmp_path: Path) -> None:
    for server in (SERVER, "https://other.test"):
        Person(tmp_path, stdin=f"token-of-{server}\n").run(
            "--server", server, "login", "--token", answers=(ME,)
        )
    person = Person(tmp_path)
    empty = good(data=[], has_more=False)

    person.run("sessions", answers=(empty,))
    assert person.server.requests[0].url.host == "other.test"
    assert person.server.headers("authorization") == ["Bearer token-of-https://other.test"]
    person.run("--server", SERVER, "sessions", answers=(empty,))
    assert person.server.headers("authorization") == [f"Bearer token-of-{SERVER}"]
    person.run("--server", "https://third.test", "sessions", answers=(empty,))
    assert person.server.headers("authorization") == [None]


def test_the_environment_wins_over_what_is_stored(tmp_path: Path) -> None:
    Person(tmp_path, stdin="stored\n").run("--server", SERVER, "login", "--token", answers=(ME,))
    person = Person(tmp_path, OMNIGENT_SERVER="https://env.test", OMNIGENT_TOKEN="from-env")
    empty = good(data=[], has_more=False)

    person.run("sessions", answers=(empty,))

    assert person.server.requests[0].url.host == "env.test"
    assert person.server.headers("authorization") == ["Bearer from-env"]
    person.run("--server", SERVER, "sessions", answers=(empty,))
    assert person.server.requests[0].url.host == "omnigent.test"
    assert person.server.headers("authorization") == ["Bearer from-env"]


def test_logout_forgets_this_server_alone(tmp_path: Path) -> None:
    for server in (SERVER, "https://other.test"):
        Person(tmp_path, stdin="some-token\n").run("--server", server, "login", "--token", answers=(ME,))
    person = Person(tmp_path)

    assert person.run("--server", SERVER, "logout") == 0

    assert list(person.tokens()) == ["https://other.test"]
    assert person.run("--server", SERVER, "logout") == 0
    assert "Not logged in" in person.out


@pytest.mark.parametrize("content", ["", "[]", "null", '{"servers": [1]}', '{"servers": {"a": "b"}}', "\x00"])
def test_a_file_that_is_not_ours_is_neither_used_nor_replaced(tmp_path: Path, content: str) -> None:
    person = Person(tmp_path)
    person.file.parent.mkdir(parents=True)
    person.file.write_text(content)

    assert person.run("--server", SERVER, "sessions") == 1

    assert str(person.file) in person.err and person.err.count("\n") == 1
    assert person.server.requests == []
    assert person.file.read_text() == content


def test_whoever_is_not_logged_in_is_told_how(person: Person) -> None:
    assert person.run("--server", SERVER, "sessions", answers=(refusal(401, "unauthorized", "Who?"),)) == 1

    assert person.err == "omnigent: Who?; log in with: omnigent login\n"


def test_a_message_of_the_server_cannot_steer_the_terminal(person: Person) -> None:
    answer = refusal(403, "forbidden", "no\x1b[2J\r\nomnigent: all is well")

    assert person.run("--server", SERVER, "sessions", answers=(answer,)) == 1

    assert person.err == "omnigent: no␛[2J omnigent: all is well (forbidden)\n"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "omnigent.test",
        "file:///etc",
        "https://",
        "https://a:b@c.test",
        "https://c.test/?q",
        "http://c.test:99999",
    ],
)
def test_what_is_no_address_is_wrong_usage(person: Person, address: str) -> None:
    assert person.run("--server", address or " ", "sessions") == 2

    assert person.server.requests == []
