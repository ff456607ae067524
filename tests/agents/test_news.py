"""A changed agent is read again: the runners of its sessions are told, through their tunnels."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents_app.models import Agent
from omnigent.protocol import frames
from sessions_app.models import Session
from sessions_app.services.agent_seeding import seed_agents
from tests.agents.registry import Registry, directory
from tests.inputs.door import Door
from tests.inputs.fake_runner import FakeRunner, Line
from tests.inputs.rig import Rig
from tests.inputs.waiting import until

DOCUMENT = "name: of-server\nprompt: {prompt}\nexecutor:\n  harness: scripted\n"


class TellingRunner(FakeRunner):
    """Keeps the addresses that it was asked at."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.addresses: list[str] = []

    async def _post(self, line: Line, request: frames.Request) -> None:
        self.addresses.append(request.path)
        await super()._post(line, request)


@pytest.fixture
async def runner(server: Door) -> AsyncIterator[TellingRunner]:
    fake = TellingRunner(server)
    await fake.connect()
    yield fake
    await fake.end()


async def bind(rig: Rig, runner: FakeRunner, session_id: str) -> None:
    """The session's runner is this one."""
    await rig.known(runner)
    await rig.run(Session.objects.filter(public_id=session_id).update, runner_id=runner.runner_id)


def reset(session_id: str) -> str:
    return f"/v1/sessions/{session_id}/agent-cache/reset"


async def test_the_runner_forgets_an_agent_that_was_replaced(
    registry: Registry, rig: Rig, runner: TellingRunner
) -> None:
    made = await registry.uploaded(directory())
    await bind(rig, runner, made["id"])

    await registry.put(made["id"], directory())
    await registry.put(made["id"], directory(description="Better"))

    await until(lambda: runner.addresses, "the runner is told")
    assert runner.addresses == [reset(made["id"])]


async def test_and_one_whose_servers_or_words_were_changed_or_that_was_deleted(
    registry: Registry, rig: Rig, runner: TellingRunner
) -> None:
    agent_id = (await registry.kept(directory()))["id"]
    session_id = await registry.session(agent_id)
    await bind(rig, runner, session_id)
    server = {"name": "tool", "transport": "stdio", "command": "run"}

    await registry.http.post(f"/v1/sessions/{session_id}/agent/mcp-servers", json=server)
    await registry.http.patch(f"/v1/agents/{agent_id}", json={"model": "m"}, headers={"If-Match": "*"})
    await registry.kept(directory(description="Uploaded anew"))
    await registry.http.delete(f"/v1/agents/{agent_id}?force=true")

    await until(lambda: len(runner.addresses) >= 4, "the runner is told of each")
    assert runner.addresses == [reset(session_id)] * 4
    assert (await registry.events(session_id)).count("session.agent_changed") == 4


async def test_sessions_of_an_operators_agent_hear_of_a_restart_with_other_files(
    registry: Registry, rig: Rig, runner: TellingRunner, tmp_path: Any
) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(DOCUMENT.format(prompt="Help."))
    await registry.run(seed_agents, [path])
    agent = await registry.run(Agent.objects.get, name="of-server")
    live, idle = await registry.session(agent.public_id), await registry.session(agent.public_id)
    await bind(rig, runner, live)

    path.write_text(DOCUMENT.format(prompt="Help more."))
    await registry.run(seed_agents, [path])
    await registry.run(seed_agents, [path])

    await until(lambda: runner.addresses, "the runner is told")
    assert runner.addresses == [reset(live)]
    assert (await registry.events(live)).count("session.agent_changed") == 1
    assert "session.agent_changed" not in await registry.events(idle)
    assert (await registry.agent(idle))["version"] == 2
