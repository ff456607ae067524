"""Kill switches: who is meant is interrupted at once, denied from then on, and goes on when they are gone."""

from typing import Any

import pytest
from django.utils import timezone

from agents_app.models import Agent
from policies_app.models import KillSwitch
from sessions_app.models import Session
from tests.factories import make_agent
from tests.inputs.fake_runner import began, ended
from tests.inputs.rig import said
from tests.inputs.waiting import eventually
from tests.policing_budgets.spending import Spending, denied, made

URL = "/v1/kill-switches"


async def thrown(rig: Spending, kind: str, target: str) -> str:
    answer = await rig.http.post(URL, json={"kind": kind, "target": target, "reason": "it leaks"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def target_of(rig: Spending, kind: str, session_id: str) -> str:
    def read() -> str:
        session = Session.objects.select_related("agent").get(public_id=session_id)
        assert session.agent is not None
        targets = {"agent": session.agent.public_id, "user": session.created_by, "host": session.host_id}
        return str(targets[kind])

    return await rig.run(read)


@pytest.mark.parametrize("kind", ["agent", "user", "host"])
async def test_a_switch_stops_what_it_names_until_it_is_taken_back(rig: Spending, kind: str) -> None:
    top = await rig.top(owner="olga", host_id="host_a")
    child = await rig.below(top, host_id="host_a")
    other = await rig.top(owner="otto", host_id="host_b")
    await rig.runs(top, child, other)

    switch = await thrown(rig, kind, await target_of(rig, kind, top))

    await rig.interrupted(top, child)
    assert await rig.interruptions(other) == 0
    reason = f"an administrator has stopped this {kind}: it leaks"
    for session_id in (top, child):
        assert denied(await rig.use(session_id, operation=session_id)) == f"Denied by policy: {reason}"
        assert await rig.refusal(session_id) == reason
    assert made(await rig.use(other, operation="mcpop_1"))
    (stop,) = await rig.stops()
    assert (stop.policy_name, stop.actor, stop.root_session_id) == ("kill switch", "local", top)
    assert stop.reason == f"{reason}. 2 running sessions were interrupted."

    assert (await rig.http.delete(f"{URL}/{switch}")).status_code == 200

    assert made(await rig.use(top, operation="mcpop_2"))
    await rig.say(child, "Go on")


async def test_a_switch_for_the_roots_agent_stops_sub_agents_of_other_agents(rig: Spending) -> None:
    top = await rig.top()
    other_agent: Agent = await rig.run(make_agent, "reviewer")
    child = await rig.below(top, agent_id=other_agent.pk)
    await rig.runs(top, child)

    await thrown(rig, "agent", await target_of(rig, "agent", top))

    await rig.interrupted(top, child)
    assert "stopped this agent" in denied(await rig.use(child))


async def test_a_look_again_finds_nobody_to_stop_twice(rig: Spending) -> None:
    top = await rig.top()
    await rig.runs(top)
    await thrown(rig, "user", "local")
    await rig.interrupted(top)

    await rig.process.enforcer.enforce()

    await rig.interrupted(top)
    assert len(await rig.stops()) == 1


async def test_a_server_that_missed_the_news_stops_them_when_it_looks_by_itself(
    rig: Spending,
) -> None:
    top = await rig.top()
    await rig.runs(top)

    await rig.run(_thrown_elsewhere)
    await rig.process.enforcer.enforce()

    await rig.interrupted(top)


def _thrown_elsewhere() -> None:
    """As a process does that nobody hears."""
    KillSwitch.objects.create(kind="user", target="local", created_at=timezone.now())


async def test_what_was_held_is_denied_though_it_is_approved_after_the_switch(rig: Spending) -> None:
    top = await rig.top()
    await rig.attach(top, "os", "omnigent.policies.ask_on_os_tools")
    await rig.runs(top)
    await rig.use(top, operation="mcpop_1", command="ls")
    await rig.question(top)
    await thrown(rig, "user", "local")

    await rig.settle(top)

    assert "stopped this user" in denied(await rig.use(top, operation="mcpop_1", command="ls"))
    assert rig.runner.executed == []


async def test_a_parent_is_told_why_its_sub_agent_was_stopped(rig: Spending) -> None:
    top = await rig.top()
    child = await rig.below(top)
    answer = await rig.post(child, said("Look at it", dispatch=True))
    assert answer.status_code == 202, answer.text
    await rig.delivered(child)
    await rig.runner.reading(child)
    await rig.runner.tell(child, *began("resp_child"))
    await thrown(rig, "agent", await target_of(rig, "agent", top))
    await rig.interrupted(child)

    await rig.runner.tell(child, *ended("resp_child", "cancelled"))

    async def came_back() -> list[Any]:
        items = await rig.items(top)
        return [one for one in items if one.get("event_type") == "session.subagent.returned"]

    (told,) = await eventually(came_back, "the parent is told")
    assert told["resource"]["status"] == "cancelled"
    assert told["resource"]["result"] == "an administrator has stopped this agent: it leaks"
