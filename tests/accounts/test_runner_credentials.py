"""What our own runner shows to a server that wants to know whose it is."""

import time
from pathlib import Path

import httpx
import pytest

from omnigent.ids import runner_id_for
from omnigent.runner.config import read_config
from omnigent.runner.credentials import Credentials

OWNER = "omni_pat_of_the_owner"


class Server:
    """Answers requests for a bearer, and keeps what they showed."""

    def __init__(self, *statuses: int, lifetime: float = 1800.0) -> None:
        self.statuses = list(statuses)
        self.lifetime = lifetime
        self.seen: list[httpx.Headers] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request.headers)
        status = self.statuses.pop(0)
        body = {"token": f"omni_run_{len(self.seen)}", "expires_at": time.time() + self.lifetime}
        return httpx.Response(status, json=body)

    def credentials(self, owner_token: str = "") -> Credentials:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="http://server")
        return Credentials(client, "runner_1", "binding", owner_token)


async def test_a_bearer_is_asked_for_once_and_shown_from_then_on() -> None:
    server = Server(200)
    credentials = server.credentials()

    shown = [await credentials.headers() for _ in range(3)]

    assert {headers["Authorization"] for headers in shown} == {"Bearer omni_run_1"}
    assert {headers["X-Omnigent-Runner-Tunnel-Token"] for headers in shown} == {"binding"}
    assert "authorization" not in server.seen[0]


async def test_a_refused_bearer_is_replaced() -> None:
    server = Server(200, 200)
    credentials = server.credentials()
    await credentials.headers()

    credentials.forget()

    assert (await credentials.headers())["Authorization"] == "Bearer omni_run_2"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
async def test_the_owners_token_stands_in_while_there_is_no_bearer(status: int) -> None:
    server = Server(status)

    headers = await server.credentials(OWNER).headers()

    assert headers["Authorization"] == f"Bearer {OWNER}"
    assert server.seen[0]["authorization"] == f"Bearer {OWNER}"


def test_a_runner_started_by_hand_binds_itself_to_the_owners_token(tmp_path: Path) -> None:
    arguments = ["--workspace", str(tmp_path)]

    config = read_config(arguments, {"OMNIGENT_TOKEN": OWNER})

    assert config.owner_token == OWNER
    assert config.runner_id == runner_id_for(config.token)
    assert OWNER not in repr(config)
    assert "OMNIGENT_TOKEN" not in config.child_environment
    alone = read_config(arguments, {})
    assert alone.runner_id == runner_id_for(alone.token)
    assert read_config([*arguments, "--runner-id", "mine"], {}).token == ""
    launched = read_config(arguments, {"OMNIGENT_RUNNER_TOKEN": "binding"})
    assert (launched.token, launched.owner_token) == ("binding", "")
