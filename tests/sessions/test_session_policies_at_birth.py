"""Policies that a session has from its first moment: given at its creation, or taken over by a fork."""

from typing import Any

import httpx
import pytest

from agents_app.models import Agent
from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from policies_app.models import PolicyVersion
from sessions_app.bodies import CreateSession
from sessions_app.models import PolicyMemory, Session, SessionPolicy
from sessions_app.process import Process
from sessions_app.services import creation
from sessions_app.services.creation import Asked
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_bundled_agent, make_child, make_session
from tests.sessions.test_upload import CONFIG, archive, upload

URL = "/v1/sessions"
LIMIT = "omnigent.policies.builtins.safety.max_tool_calls_per_session"
ASK = "omnigent.policies.ask_on_os_tools"
CAP: dict[str, Any] = {"name": "cap", "type": "python", "handler": LIMIT, "factory_params": {"limit": 3}}
CARE: dict[str, Any] = {"name": "care", "type": "python", "handler": ASK}
GUARD: dict[str, Any] = {
    "name": "no deploys",
    "type": "python",
    "handler": "omnigent.policies.builtins.safety.block_skills",
    "factory_params": {"blocked": ["deploy"]},
}
SHOWN = ("name", "type", "handler", "enabled")


@pytest.fixture
async def agent(process: Process) -> Agent:
    """A built-in agent whose policies can be read: it has none."""
    return await process.pool.run(make_bundled_agent)


async def create(http: httpx.AsyncClient, agent: Agent, policies: Any, **fields: Any) -> httpx.Response:
    return await http.post(URL, json={"agent_id": agent.public_id, "policies": policies, **fields})


async def own(http: httpx.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    rows = (await http.get(f"{URL}/{session_id}/policies")).json()["data"]
    return [row for row in rows if row["source"] == "session"]


async def counts(process: Process) -> tuple[int, int, int]:
    def count() -> tuple[int, int, int]:
        return Session.objects.count(), SessionPolicy.objects.count(), PolicyVersion.objects.count()

    return await process.pool.run(count)


async def test_a_session_is_made_with_its_policies_in_their_order(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    off = {**CARE, "name": "aside", "enabled": False, "mode": "shadow"}

    answer = await create(http, agent, [CAP, CARE, off])

    assert answer.status_code == 201, answer.text
    rows = await own(http, answer.json()["id"])
    assert [row["name"] for row in rows] == ["cap", "care", "aside"]
    assert rows[0]["factory_params"] == {"limit": 3}
    assert (rows[2]["enabled"], rows[2]["mode"]) == (False, "shadow")
    assert await counts(process) == (1, 3, 3)
    assert await process.pool.run(lambda: PolicyMemory.objects.get().chain_revision) == 1


async def judged(http: httpx.AsyncClient, session_id: str) -> str:
    """What the chain says of the skill that GUARD blocks."""
    call = {"name": "load_skill", "arguments": {"name": "Deploy"}}
    question = {"event": {"type": "PHASE_TOOL_CALL", "data": call}}
    answer = await http.post(f"{URL}/{session_id}/policies/evaluate", json=question)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["result"])


async def test_they_hold_before_the_first_event_and_a_fork_does_not_escape_them(
    http: httpx.AsyncClient, agent: Agent
) -> None:
    free = (await create(http, agent, None)).json()["id"]
    bound = (await create(http, agent, [GUARD])).json()["id"]

    assert await judged(http, free) == "POLICY_ACTION_ALLOW"
    assert await judged(http, bound) == "POLICY_ACTION_DENY"
    assert await judged(http, await fork(http, bound)) == "POLICY_ACTION_DENY"


async def test_a_session_without_policies_has_no_memory_of_any(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    assert (await create(http, agent, None)).status_code == 201
    assert (await create(http, agent, [])).status_code == 201

    assert not await process.pool.run(PolicyMemory.objects.exists)


async def test_an_added_policy_holds_from_the_next_action_on(http: httpx.AsyncClient, agent: Agent) -> None:
    session_id = (await create(http, agent, None)).json()["id"]
    assert await judged(http, session_id) == "POLICY_ACTION_ALLOW"

    address = f"{URL}/{session_id}/policies"
    made = (await http.post(address, json=GUARD)).json()
    assert await judged(http, session_id) == "POLICY_ACTION_DENY"

    await http.patch(f"{address}/{made['id']}", json={"enabled": False})
    assert await judged(http, session_id) == "POLICY_ACTION_ALLOW"

    await http.patch(f"{address}/{made['id']}", json={"enabled": True})
    assert await judged(http, session_id) == "POLICY_ACTION_DENY"

    await http.delete(f"{address}/{made['id']}")
    assert await judged(http, session_id) == "POLICY_ACTION_ALLOW"


@pytest.mark.parametrize(
    ("policies", "place"),
    [
        ({}, ("policies",)),
        ([1], ("policies", 0)),
        ([CAP, {"name": "x"}], ("policies", 1)),
        ([{**CAP, "colour": "red"}], ("policies", 0, "colour")),
        ([{**CAP, "type": "function"}], ("policies", 0, "type")),
        ([{**CAP, "handler": "nodots"}], ("policies", 0, "handler")),
        ([CAP, {**CARE, "name": "cap"}], ("policies",)),
        ([{**CARE, "name": f"care {number}"} for number in range(51)], ("policies",)),
    ],
)
async def test_a_list_of_another_shape_makes_no_session(
    http: httpx.AsyncClient, process: Process, agent: Agent, policies: Any, place: tuple[str | int, ...]
) -> None:
    assert_invalid(await create(http, agent, policies), "body", *place)

    assert await counts(process) == (0, 0, 0)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({**CARE, "handler": "os.system"}, "policies[1]: Handler 'os.system' is not registered"),
        ({**CAP, "name": "x", "factory_params": {"limit": "3"}}, "policies[1]: factory_params"),
        ({"name": "x", "type": "url", "handler": "https://"}, "policies[1]: The url handler cannot be used"),
    ],
)
async def test_one_that_cannot_be_applied_makes_no_session(
    http: httpx.AsyncClient, process: Process, agent: Agent, bad: Any, words: str
) -> None:
    body = assert_error(await create(http, agent, [CAP, bad]), 400, "invalid_input")

    assert words in body["error"]["message"]
    assert await counts(process) == (0, 0, 0)


async def test_a_retry_makes_no_second_set(http: httpx.AsyncClient, process: Process, agent: Agent) -> None:
    body = {"agent_id": agent.public_id, "policies": [CAP]}
    for _ in range(2):
        answer = await http.post(URL, json=body, headers={"Idempotency-Key": "one"})
        assert answer.status_code == 201

    assert await counts(process) == (1, 1, 1)


async def test_an_upload_takes_policies_too(http: httpx.AsyncClient, process: Process) -> None:
    made = await upload(http, archive({"config.yaml": CONFIG}), {"policies": [CAP]})

    assert made.status_code == 201, made.text
    assert [row["name"] for row in await own(http, made.json()["session_id"])] == ["cap"]

    refused = await upload(http, archive({"config.yaml": CONFIG}), {"policies": [{**CAP, "colour": 1}]})
    assert_error(refused, 400, "invalid_input")
    assert await counts(process) == (1, 1, 1)


async def test_a_sub_agent_session_of_a_person_may_have_its_own(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    root = await process.pool.run(make_session, agent)

    made = await create(http, agent, [CAP], parent_session_id=root.public_id, title="helper:one")

    assert [row["name"] for row in await own(http, made.json()["id"])] == ["cap"]
    assert await own(http, root.public_id) == []


async def test_a_runner_gives_none_to_the_sub_agents_it_opens(process: Process, agent: Agent) -> None:
    def opened(policies: list[dict[str, Any]]) -> Any:
        body = CreateSession.model_validate(
            {"agent_id": agent.public_id, "parent_session_id": root.public_id, "policies": policies}
        )
        runner = Principal(user_id="local", is_admin=False, kind="runner", runner_id="runner_1")
        return creation.prepare(runner, Asked(body=body, agent_id=agent.public_id), None)

    root = await process.pool.run(make_session, agent, runner_id="runner_1")

    with pytest.raises(OmnigentError, match="may not give policies") as refused:
        await process.pool.run(opened, [CAP])
    assert refused.value.status == 403
    assert (await process.pool.run(opened, [])).status == 201


async def fork(http: httpx.AsyncClient, session_id: str) -> str:
    answer = await http.post(f"{URL}/{session_id}/fork", json={})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_fork_is_bound_as_its_source_is(http: httpx.AsyncClient, agent: Agent) -> None:
    source = (await create(http, agent, [CAP, {**CARE, "enabled": False}])).json()["id"]

    copy = await fork(http, source)

    before, after = await own(http, source), await own(http, copy)
    assert [[row[key] for key in SHOWN] for row in after] == [[row[key] for key in SHOWN] for row in before]
    assert after[0]["factory_params"] == {"limit": 3}
    assert {row["id"] for row in after}.isdisjoint(row["id"] for row in before)
    await http.delete(f"{URL}/{copy}/policies/{after[0]['id']}")
    assert await own(http, source) == before


async def test_the_fork_of_a_sub_agent_keeps_what_bound_it_from_above(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    root = (await create(http, agent, [CAP, CARE])).json()["id"]
    row = await process.pool.run(lambda: Session.objects.get(public_id=root))
    child = (await process.pool.run(make_child, row, "helper:one")).public_id
    limit = {**CAP, "factory_params": {"limit": 1}}
    for policy in (limit, CARE):
        assert (await http.post(f"{URL}/{child}/policies", json=policy)).status_code == 200

    rows = await own(http, await fork(http, child))

    assert [(row["name"], row.get("factory_params")) for row in rows] == [
        ("cap", {"limit": 3}),
        ("care", None),
        ("cap (2)", {"limit": 1}),
    ]


async def test_a_fork_of_nothing_has_nothing(http: httpx.AsyncClient, process: Process, agent: Agent) -> None:
    source = (await create(http, agent, None)).json()["id"]

    await fork(http, source)

    assert (await counts(process))[1:] == (0, 0)
