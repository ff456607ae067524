"""An archived session's runner is stopped, unless somebody changes their mind."""

from typing import Any

import httpx
import pytest

from agents_app.models import Agent
from omnigent.protocol import host_frames
from tests.sessions.fake_host import HOST, FakeHost
from tests.stream.servers import until


@pytest.fixture(autouse=True)
def short_pause(settings: Any) -> None:
    """A tenth of a second to change one's mind."""
    settings.OMNIGENT_ARCHIVE_STOP_SECONDS = 0.1


async def launched(http: httpx.AsyncClient, agent: Agent) -> tuple[str, str]:
    """A new session on the host, and the id of its runner."""
    body = {"agent_id": agent.public_id, "host_id": HOST, "workspace": "/w"}
    session = (await http.post("/v1/sessions", json=body)).json()
    return session["id"], session["runner_id"]


async def archive(http: httpx.AsyncClient, session_id: str, *, archived: bool) -> None:
    answer = await http.patch(f"/v1/sessions/{session_id}", json={"archived": archived})
    assert answer.json()["archived"] is archived


async def stopped(host: FakeHost) -> list[str]:
    """The runners that the host was asked to stop, once there is one."""
    asked = await until(lambda: host.asked_for(host_frames.StopRunner))
    return [ask.runner_id for ask in asked]


async def test_the_host_is_asked_to_stop_the_runner(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost
) -> None:
    session_id, runner_id = await launched(http, agent)

    await archive(http, session_id, archived=True)

    assert await stopped(host) == [runner_id]


async def test_a_session_that_comes_back_in_time_keeps_its_runner(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost
) -> None:
    kept, _ = await launched(http, agent)
    ended, runner_id = await launched(http, agent)

    await archive(http, kept, archived=True)
    await archive(http, kept, archived=False)
    await archive(http, ended, archived=True)

    assert await stopped(host) == [runner_id]
