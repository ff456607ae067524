"""POST /v1/sessions/{id}/switch-agent: another agent for the same conversation."""

from typing import Any

import httpx
import pytest

from agents_app.models import Agent
from sessions_app.models import LogEntry, Outbox, Session
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid
from tests.factories import label, make_agent, make_child, make_runner, make_session, user_said

URL = "/v1/sessions"


@pytest.fixture
async def session(process: Process) -> Session:
    def build() -> Session:
        made = make_session(
            make_agent("claude", harness="claude-sdk"),
            reasoning_effort="high",
            model_override="claude-opus-4-7",
            external_session_id="abc",
            workspace="/srv",
        )
        label(made, env="prod")
        user_said(made, "one")
        return made

    return await process.pool.run(build)


@pytest.fixture
async def codex(process: Process) -> Agent:
    return await process.pool.run(make_agent, "codex", harness="codex")


async def switch(http: httpx.AsyncClient, session: Session, agent_id: str) -> httpx.Response:
    return await http.post(f"{URL}/{session.public_id}/switch-agent", json={"agent_id": agent_id})


async def test_the_conversation_stays_and_the_agent_changes(
    http: httpx.AsyncClient, session: Session, codex: Agent
) -> None:
    before = (await http.get(f"{URL}/{session.public_id}")).json()

    answer = await switch(http, session, codex.public_id)

    after = (await http.get(f"{URL}/{session.public_id}")).json()
    assert answer.status_code == 200
    assert answer.json() == {**after, "items": []}
    kept = ("id", "items", "labels", "workspace", "title", "created_at")
    assert [after[key] for key in kept] == [before[key] for key in kept]
    assert (after["agent_id"], after["agent_name"], after["harness"]) == (codex.public_id, "codex", "codex")
    assert after["external_session_id"] is None
    assert (after["reasoning_effort"], after["model_override"]) == (None, None)


async def test_settings_stay_within_one_vendor(
    http: httpx.AsyncClient, session: Session, process: Process
) -> None:
    native = await process.pool.run(lambda: make_agent("native", harness="claude-native"))

    shown = (await switch(http, session, native.public_id)).json()

    assert (shown["reasoning_effort"], shown["model_override"]) == ("high", "claude-opus-4-7")


async def test_followers_and_the_runner_are_told(
    http: httpx.AsyncClient, session: Session, codex: Agent, process: Process
) -> None:
    def bind() -> None:
        Session.objects.filter(pk=session.pk).update(runner_id=make_runner().public_id)

    await process.pool.run(bind)

    await switch(http, session, codex.public_id)

    told = await process.pool.run(lambda: list(LogEntry.objects.values_list("type", flat=True)))
    waiting = await process.pool.run(lambda: list(Outbox.objects.values_list("kind", flat=True)))
    assert told[-1:] == ["session.agent_changed"]
    assert waiting == ["reset"]


async def test_the_sessions_own_agent_goes(http: httpx.AsyncClient, codex: Agent, process: Process) -> None:
    def own() -> tuple[Session, int]:
        agent = make_agent("mine", is_builtin=False, created_by="local")
        return make_session(agent), agent.pk

    session, pk = await process.pool.run(own)

    answer = await switch(http, session, codex.public_id)

    assert answer.status_code == 200
    assert not await process.pool.run(Agent.objects.filter(pk=pk).exists)


@pytest.mark.parametrize("status", ["running", "waiting"])
async def test_a_busy_session_is_left_alone(
    http: httpx.AsyncClient, session: Session, codex: Agent, process: Process, status: str
) -> None:
    await process.pool.run(lambda: Session.objects.filter(pk=session.pk).update(status=status))

    assert_error(await switch(http, session, codex.public_id), 409, "conflict")

    shown = (await http.get(f"{URL}/{session.public_id}")).json()
    assert (shown["agent_name"], shown["external_session_id"]) == ("claude", "abc")


async def test_agents_that_cannot_be_bound(
    http: httpx.AsyncClient, session: Session, process: Process
) -> None:
    private = await process.pool.run(lambda: make_agent("p", is_builtin=False, created_by="local"))
    assert session.agent is not None

    assert_error(await switch(http, session, session.agent.public_id), 400, "invalid_input")
    assert_error(await switch(http, session, private.public_id), 404, "not_found")
    assert_error(await switch(http, session, "ag_" + "0" * 32), 404, "not_found")
    assert_error(await switch(http, session, "é"), 404, "not_found")


async def test_a_sub_agents_agent_is_its_parents(
    http: httpx.AsyncClient, session: Session, codex: Agent, process: Process
) -> None:
    child = await process.pool.run(make_child, session, "r:one")

    assert_error(await switch(http, child, codex.public_id), 400, "invalid_input")


@pytest.mark.parametrize("body", [{}, {"agent_id": 1}, {"agent_id": None}, {"agent_id": "a", "x": 1}, []])
async def test_a_bad_body_is_422(http: httpx.AsyncClient, session: Session, body: Any) -> None:
    assert_invalid(await http.post(f"{URL}/{session.public_id}/switch-agent", json=body))


async def test_a_repeat_under_its_key_gets_the_first_answer(
    http: httpx.AsyncClient, session: Session, codex: Agent
) -> None:
    url, body = f"{URL}/{session.public_id}/switch-agent", {"agent_id": codex.public_id}

    first = await http.post(url, json=body, headers={"Idempotency-Key": "k"})
    second = await http.post(url, json=body, headers={"Idempotency-Key": "k"})

    assert (second.status_code, second.content) == (200, first.content)
