"""`login` and `logout`: a token from the server by a code (RFC 8628), or one that the person has."""

import getpass
import platform
import time
from collections.abc import Mapping
from typing import Any, Final

from omnigent_client.cli.connection import Connection, token_of
from omnigent_client.cli.credentials import CredentialFile
from omnigent_client.cli.exits import OK, CommandError
from omnigent_client.cli.safe_text import clean_line
from omnigent_client.cli.screen import Screen
from omnigent_client.cli.task import Task
from omnigent_client.client import OmnigentClient
from omnigent_client.errors import ApiError, InvalidAnswerError, NotFoundError

LOOPBACK: Final = ("http://localhost", "http://127.", "http://[::1]")
DEFAULT_INTERVAL: Final = 5.0
SLOWER: Final = 5.0
LONGEST_INTERVAL: Final = 60.0
ENDINGS: Final[Mapping[str, str]] = {
    "expired_token": "the code has expired; log in again",
    "access_denied": "the login was refused",
}


async def login(task: Task) -> int:
    """Get a token, see that it works, and keep it."""
    connection, screen = task.connection, task.screen
    if connection.server.startswith("http://") and not connection.server.startswith(LOOPBACK):
        screen.tell("Warning: the token will travel to this server unencrypted.")
    if task.options.token:
        token = _read_token(task)
    else:
        async with Connection(server=connection.server, token=None, is_token_given=False).open(
            task.surroundings
        ) as client:
            if (await client.server.info()).single_user:
                screen.say(f"{connection.server} knows one user only and needs no login.")
                return OK
            token = await _ask_for_token(client, task)
    known = Connection(server=connection.server, token=token, is_token_given=False)
    async with known.open(task.surroundings) as client:
        me = await client.server.me()
    file = CredentialFile(task.surroundings.config_directory)
    file.write(file.read().with_token(connection.server, token))
    screen.say(f"Logged in to {connection.server} as {clean_line(me.user_id or 'somebody')}.")
    if connection.is_token_given:
        screen.tell("OMNIGENT_TOKEN is set and wins over it.")
    return OK


async def logout(task: Task) -> int:
    """Forget the token. The server is not asked: only the person knows what else uses it."""
    server = task.connection.server
    file = CredentialFile(task.surroundings.config_directory)
    credentials = file.read()
    if server not in credentials.tokens:
        task.screen.say(f"Not logged in to {server}.")
        return OK
    file.write(credentials.without(server))
    task.screen.say(f"Forgot the token of {server}; it stays valid until it is revoked there.")
    return OK


def _read_token(task: Task) -> str:
    stdin = task.surroundings.stdin
    return token_of(getpass.getpass("Token: ") if stdin.isatty() else stdin.readline())


async def _ask_for_token(client: OmnigentClient, task: Task) -> str:
    try:
        grant = await client.request(
            "POST", "/v1/device/code", json={"client_name": f"omnigent on {platform.node()}"[:100]}
        )
    except NotFoundError as error:
        raise CommandError(
            "this server has no login by code; make a token there and use: omnigent login --token"
        ) from error
    if not isinstance(grant, Mapping) or not all(
        isinstance(grant.get(name), str) for name in ("device_code", "user_code", "verification_uri")
    ):
        raise InvalidAnswerError("the server answered with no code to log in by")
    _invite(grant, client.base_url, task.screen)
    return await _poll(client, task, grant)


def _invite(grant: Mapping[str, Any], server: str, screen: Screen) -> None:
    address = grant.get("verification_uri_complete") or grant["verification_uri"]
    whole = f"{server}{address}" if str(address).startswith("/") else str(address)
    screen.say(f"Open {clean_line(whole)}")
    screen.say(f"and confirm the code {clean_line(grant['user_code'])}")
    screen.flush()


async def _poll(client: OmnigentClient, task: Task, grant: Mapping[str, Any]) -> str:
    """The token, once somebody has confirmed. Raises CommandError when nobody does."""
    interval = _number(grant.get("interval"), DEFAULT_INTERVAL)
    deadline = time.monotonic() + _number(grant.get("expires_in"), 900.0)
    body = {"device_code": grant["device_code"]}
    while time.monotonic() < deadline:
        await task.surroundings.sleep(min(max(interval, 1.0), LONGEST_INTERVAL))
        try:
            answer = await client.request("POST", "/v1/device/token", json=body)
        except ApiError as error:
            word = _word_of(error)
            if word in ENDINGS:
                raise CommandError(ENDINGS[word]) from error
            if word not in ("authorization_pending", "slow_down"):
                raise
            interval += SLOWER if word == "slow_down" else 0.0
            continue
        token = answer.get("access_token") if isinstance(answer, Mapping) else None
        if not isinstance(token, str):
            raise InvalidAnswerError("the server answered with no token")
        return token_of(token)
    raise CommandError(ENDINGS["expired_token"])


def _word_of(error: ApiError) -> str:
    """The RFC's error word, which stands alone or as the code of the API's own envelope."""
    member = error.body.get("error") if isinstance(error.body, Mapping) else None
    return member if isinstance(member, str) else error.code


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else default
