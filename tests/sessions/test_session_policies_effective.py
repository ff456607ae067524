"""GET /v1/sessions/{id}/policies/effective: the chain as it is asked, and why each policy is in it."""

from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents_app.models import Agent
from agents_app.services import register_builtin
from omnigent.accounts.identity import Principal
from policies_app.models import KillSwitch
from policies_app.services import default_policies
from policies_app.services.default_policies import NewPolicy
from policies_app.services.revisions import bump_revision
from sessions_app.models import Session
from sessions_app.process import Process
from sessions_app.services import effective_policies
from tests.error_shape import assert_error
from tests.factories import make_agent, make_child, make_session

LIMIT = "omnigent.policies.builtins.safety.max_tool_calls_per_session"
ASK = "omnigent.policies.ask_on_os_tools"
CAP: dict[str, Any] = {"name": "cap", "type": "python", "handler": LIMIT, "factory_params": {"limit": 3}}
OPERATOR = Principal(user_id="local", is_admin=True)
GUARDS = ["__ask_on_add_policy", "__ask_on_scheduled_task_change"]
DOCUMENT = f"""name: guarded
description: A test agent
prompt: Help.
executor:
  harness: scripted
policies:
  spec_care:
    type: function
    handler: {ASK}
"""


def guarded_agent() -> Agent:
    return register_builtin(files={"guarded.yaml": DOCUMENT.encode()})


def everywhere(name: str, **fields: Any) -> None:
    new = NewPolicy(**{"name": name, "type": "python", "handler": ASK, **fields})
    default_policies.create_policy(principal=OPERATOR, new=new)


@pytest.fixture
async def session(process: Process) -> Session:
    agent = await process.pool.run(guarded_agent)
    made: Session = await process.pool.run(make_session, agent)
    return made


async def chain(http: httpx.AsyncClient, session: Session) -> list[dict[str, Any]]:
    answer = await http.get(f"/v1/sessions/{session.public_id}/policies/effective")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


async def add(http: httpx.AsyncClient, session: Session, **fields: Any) -> dict[str, Any]:
    answer = await http.post(f"/v1/sessions/{session.public_id}/policies", json={**CAP, **fields})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_the_chain_is_session_then_agent_then_server_then_guards(
    http: httpx.AsyncClient, process: Process, session: Session
) -> None:
    await process.pool.run(everywhere, "house")
    made = await add(http, session)

    rows = await chain(http, session)

    assert [(row["level"], row["source"], row["name"]) for row in rows] == [
        ("session", "session", "cap"),
        ("agent", "spec", "spec_care"),
        ("server", "admin", "house"),
        *(("guard", "guard", name) for name in GUARDS),
    ]
    assert rows[0] == {
        "id": made["id"],
        "name": "cap",
        "level": "session",
        "source": "session",
        "type": "python",
        "handler": LIMIT,
        "version": 1,
        "mode": "enforce",
        "enabled": True,
        "why": "It was attached to this session.",
    }
    assert [(row["type"], row["handler"]) for row in rows[1:3]] == [("function", ASK), ("python", ASK)]
    assert rows[1]["why"] == "The agent 'guarded' declares it."
    assert rows[2]["why"] == "An administrator applies it to every session."
    assert all("built into the server" in row["why"] for row in rows[3:])


async def test_a_change_shows_at_once(http: httpx.AsyncClient, session: Session) -> None:
    made = await add(http, session)
    await chain(http, session)

    address = f"/v1/sessions/{session.public_id}/policies/{made['id']}"
    await http.patch(address, json={"enabled": False})
    row = (await chain(http, session))[0]
    assert (row["enabled"], row["version"]) == (False, 2)
    assert "switched off" in row["why"]

    await http.delete(address)
    assert (await chain(http, session))[0]["name"] == "spec_care"


async def test_a_shadow_says_that_it_decides_nothing(http: httpx.AsyncClient, session: Session) -> None:
    await add(http, session, mode="shadow")

    row = (await chain(http, session))[0]

    assert row["mode"] == "shadow"
    assert "decides nothing" in row["why"]


async def test_a_sub_agent_is_asked_its_roots_policies_before_its_own(
    http: httpx.AsyncClient, process: Process, session: Session
) -> None:
    child = await process.pool.run(make_child, session, "helper:one")
    await add(http, child, name="budget")
    await add(http, session)

    rows = await chain(http, child)

    assert [row["name"] for row in rows] == ["cap", "budget", "spec_care", *GUARDS]
    assert session.public_id in rows[0]["why"]
    assert rows[1]["why"] == "It was attached to this session."


async def test_a_kill_switch_stands_first(
    http: httpx.AsyncClient, process: Process, session: Session
) -> None:
    def stop() -> None:
        KillSwitch.objects.create(kind="user", target="local", created_at=timezone.now())
        bump_revision()

    await process.pool.run(stop)

    row = (await chain(http, session))[0]

    assert (row["id"], row["handler"]) == ("kill", None)
    assert "stopped" in row["why"]


async def test_agent_policies_that_cannot_be_read_are_said_to_forbid(
    http: httpx.AsyncClient, process: Process
) -> None:
    def lost() -> Session:
        declared = {"name": "care", "type": "function", "on": [], "description": ASK}
        return make_session(make_agent("lost", details={"policies": [declared]}))

    session = await process.pool.run(lost)

    row = (await chain(http, session))[0]

    assert (row["level"], row["handler"]) == ("agent", None)
    assert "cannot be read" in row["why"]


async def test_an_unknown_session_is_404(http: httpx.AsyncClient, process: Process) -> None:
    answer = await http.get("/v1/sessions/conv_" + "0" * 32 + "/policies/effective")

    assert_error(answer, 404, "not_found")


async def test_a_chain_costs_the_same_however_long_it_is(
    http: httpx.AsyncClient, process: Process, session: Session
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            effective_policies.effective(
                principal=OPERATOR, session_id=session.public_id, chains=process.policies.chains
            )
        return len(seen)

    # The agent's part is looked up once for good; the others anew after every change.
    await process.pool.run(statements)
    await add(http, session)
    await process.pool.run(everywhere, "house")
    few = await process.pool.run(statements)
    for number in range(8):
        await add(http, session, name=f"cap {number}")
        await process.pool.run(everywhere, f"house {number}")

    assert await process.pool.run(statements) == few
    assert few <= 9
