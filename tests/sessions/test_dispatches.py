"""What a parent sets its sub-agents to do: it waits, and is told once of each end, whatever the end."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from sessions_app.models import Session
from sessions_app.process import Process
from sessions_app.services import fleet, launching, outbox, returning
from tests.error_shape import assert_error
from tests.factories import agent_said, make_child, make_host, make_runner, make_session

Json = dict[str, Any]


@pytest.fixture
async def parent(process: Process) -> Session:
    """A session whose runner is online."""

    def build() -> Session:
        host, runner = make_host(), make_runner()
        return make_session(runner_id=runner.public_id, host_id=host.public_id, workspace="/w")

    return await process.pool.run(build)


async def child_of(process: Process, parent: Session, title: str) -> Session:
    def build() -> Session:
        fields = {"runner_id": parent.runner_id, "host_id": parent.host_id, "workspace": "/w"}
        return make_child(parent, title, **fields)

    return await process.pool.run(build)


async def post(http: httpx.AsyncClient, session: Session, event: Json, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    return await http.post(f"/v1/sessions/{session.public_id}/events", json=event, headers=headers)


def task(text: str = "go", stable_id: str = "", **data: Any) -> Json:
    content = [{"type": "input_text", "text": text}]
    more = {"stable_id": stable_id} if stable_id else {}
    return {"type": "message", "data": {"role": "user", "content": content, "dispatch": True, **more, **data}}


async def dispatch(http: httpx.AsyncClient, process: Process, child: Session) -> None:
    """The parent's message to its sub-agent, and its delivery."""
    answer = await post(http, child, task())
    assert answer.status_code == 202, answer.text
    await deliver(process, child)


async def deliver(process: Process, session: Session) -> None:
    """The runner takes what waits for it."""

    def work() -> None:
        while (one := outbox.claim(session_pk=session.pk, holder="elsewhere", seconds=5)) is not None:
            outbox.delivered(delivery=one)

    await process.pool.run(work)


async def report(http: httpx.AsyncClient, session: Session, status: str, **data: Any) -> None:
    event = {"type": "external_session_status", "data": {"status": status, **data}}
    answer = await post(http, session, event)
    assert answer.status_code == 202, answer.text


async def status(http: httpx.AsyncClient, session: Session) -> str:
    return str((await http.get(f"/v1/sessions/{session.public_id}")).json()["status"])


async def items(http: httpx.AsyncClient, session: Session) -> list[Json]:
    page = await http.get(f"/v1/sessions/{session.public_id}/items", params={"limit": 1000})
    return list(page.json()["data"])


async def returns(http: httpx.AsyncClient, session: Session) -> list[Json]:
    found = await items(http, session)
    return [one for one in found if one.get("event_type") == "session.subagent.returned"]


async def wakes(http: httpx.AsyncClient, session: Session) -> list[Json]:
    return [one for one in await items(http, session) if one.get("subagent_return_id")]


async def test_a_parent_waits_and_is_told_once(
    http: httpx.AsyncClient, process: Process, parent: Session
) -> None:
    child = await child_of(process, parent, "helper:one")
    await dispatch(http, process, child)
    await report(http, parent, "idle")
    assert await status(http, parent) == "waiting"

    await process.pool.run(agent_said, child, "the answer")
    await report(http, child, "idle")
    await asyncio.gather(*(process.pool.run(returning.settle, child.pk) for _ in range(4)))

    [told], [wake] = await returns(http, parent), await wakes(http, parent)
    assert told["resource"] == {
        "title": "one",
        "agent": "helper",
        "status": "completed",
        "result": "the answer",
    }
    assert wake["subagent_return_id"] == told["id"]
    assert wake["content"][0]["text"] == (
        "[System: sub-agent helper/one finished (completed) - 1 result waiting in inbox. "
        "Call sys_read_inbox to collect.]"
    )
    assert await status(http, parent) == "running"
    await deliver(process, parent)
    await report(http, parent, "idle")
    assert await status(http, parent) == "idle"


async def test_a_task_that_is_sent_again_after_a_lost_answer_is_one_task(
    http: httpx.AsyncClient, process: Process, parent: Session
) -> None:
    child = await child_of(process, parent, "helper:one")
    stable_id = uuid.uuid4().hex

    first = await post(http, child, task(stable_id=stable_id))
    second = await post(http, child, task(stable_id=stable_id))

    assert first.json() == second.json()
    started = [one for one in await items(http, parent) if one["type"] == "resource_event"]
    assert [one["event_type"] for one in started] == ["session.subagent.delegated"]
    await deliver(process, child)
    await report(http, child, "idle")
    await process.pool.run(returning.settle_all)
    assert len(await wakes(http, parent)) == 1


async def test_only_a_sub_agent_is_set_to_work(http: httpx.AsyncClient, parent: Session) -> None:
    assert_error(await post(http, parent, task()), 400, "invalid_input")
    assert_error(await post(http, parent, task(dispatch="yes")), 400, "invalid_input")


async def test_a_lost_runner_fails_the_sub_agent_and_not_who_waits_for_it(
    http: httpx.AsyncClient, process: Process, parent: Session
) -> None:
    child = await child_of(process, parent, "helper:one")
    below = await child_of(process, child, "leaf:two")
    for one in (child, below):
        await dispatch(http, process, one)
    for one in (parent, child):
        await report(http, one, "idle")

    for one in (parent, child, below):
        await process.pool.run(
            fleet.fail_turn, one.pk, parent.runner_id, code="runner_disconnected", message="gone"
        )
    await process.pool.run(returning.settle_all)

    assert await status(http, below) == "failed"
    assert [one["resource"]["status"] for one in await returns(http, child)] == ["failed"]
    assert await status(http, child) == "running"
    assert await status(http, parent) == "waiting"
    assert await returns(http, parent) == []


async def test_an_interrupt_ends_what_is_below_and_wakes_nobody(
    http: httpx.AsyncClient, process: Process, parent: Session
) -> None:
    child = await child_of(process, parent, "helper:one")
    await dispatch(http, process, child)
    await report(http, parent, "idle")

    answer = await post(http, parent, {"type": "interrupt"})

    assert answer.json() == {"queued": False}
    assert await status(http, parent) == "idle"
    [told] = await returns(http, parent)
    assert told["resource"]["status"] == "cancelled"
    await report(http, child, "idle")
    await process.pool.run(returning.settle_all)
    assert await wakes(http, parent) == []
    assert len(await returns(http, parent)) == 1


async def test_a_relaunch_binds_the_tree_to_the_new_runner_once(process: Process, parent: Session) -> None:
    child = await child_of(process, parent, "helper:one")
    stranger = await process.pool.run(lambda: make_session(runner_id=parent.runner_id))
    old = parent.runner_id

    plan = await process.pool.run(lambda: launching.prepare(child.pk, instead_of=old))
    again = await process.pool.run(lambda: launching.prepare(parent.pk, instead_of=old))

    assert plan is not None
    assert again is None
    for one in (parent, child, stranger):
        await process.pool.run(one.refresh_from_db)
    assert parent.runner_id == child.runner_id == plan.runner_id != old
    assert stranger.runner_id == old
