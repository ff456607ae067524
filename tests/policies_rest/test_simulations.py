"""POST /v1/policy-simulations: what policies say of one event, and nothing comes of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_django import Settings

from omnigent.accounts.identity import Principal
from policies_app.models import Decision
from policies_app.simulation_bodies import SimulationBody
from sessions_app.flows.policing.asking import read_event
from sessions_app.models import HeldAction, PolicyMemory
from sessions_app.services import simulating
from tests.error_shape import assert_error, assert_invalid
from tests.policies_rest.people import URL
from tests.policies_rest.simulator_rig import (
    CAP,
    CARE,
    GUARD,
    SIMULATIONS,
    Rig,
    served,
    skill,
    token_of,
    tool,
)

SERVICE = {"name": "far", "type": "url", "handler": "https://policies.example.com/judge"}


@pytest.fixture
async def rig(transactional_db: None) -> AsyncIterator[Rig]:
    async with served() as running:
        yield running


async def simulated(rig: Rig, event: Any, *policies: Any, **more: Any) -> dict[str, Any]:
    return await rig.made(SIMULATIONS, {"event": event, "policies": list(policies), **more})


async def test_a_draft_denies_asks_and_allows(rig: Rig) -> None:
    denied = await simulated(rig, skill("deploy"), GUARD, CARE)
    asked = await simulated(rig, tool("Bash", command="ls"), GUARD, CARE)
    allowed = await simulated(rig, skill("read"), GUARD, CARE)

    assert (denied["verdict"], denied["policy"], denied["policy_id"]) == ("deny", "guard", "draft:1")
    assert [step["verdict"] for step in denied["steps"]] == ["deny"]
    assert (asked["verdict"], asked["policy"]) == ("ask", "care")
    assert asked["reason"].startswith("care: ")
    assert [step["name"] for step in asked["steps"]] == ["guard", "care"]
    assert (allowed["verdict"], allowed["policy"], allowed["reason"]) == ("allow", None, None)


async def test_an_answer_is_whole(rig: Rig) -> None:
    answer = await simulated(rig, tool(), CAP)

    (step,) = answer.pop("steps")
    assert step.pop("micros") >= 0
    assert step == {
        "id": "draft:1",
        "name": "cap",
        "level": "server",
        "version": 1,
        "mode": "enforce",
        "verdict": "allow",
        "reason": None,
        "failed": False,
    }
    assert answer == {
        "object": "policy_simulation",
        "verdict": "allow",
        "reason": None,
        "policy": None,
        "policy_id": None,
        "has_data": False,
        "data": None,
        "state_updates": [{"key": "_policy_tool_call_count", "action": "set", "value": 1}],
        "labels": {},
        "not_called": [],
    }


async def test_nothing_is_written(rig: Rig) -> None:
    session = await rig.session()
    await rig.made(URL, CAP)

    for _ in range(4):
        answer = await simulated(rig, tool(), CARE, session_id=session.public_id)
        assert answer["verdict"] == "allow"
    asked = await simulated(rig, tool("Bash"), CARE, session_id=session.public_id)

    assert asked["verdict"] == "ask"
    left = [await rig.process.pool.run(model.objects.count) for model in (Decision, PolicyMemory, HeldAction)]
    assert left == [0, 0, 0]


async def test_the_session_s_own_chain_and_state_are_asked(rig: Rig) -> None:
    session = await rig.session()
    await rig.made(f"/v1/sessions/{session.public_id}/policies", CAP)
    assert [await rig.judged(session, tool()) for _ in range(2)] == ["ALLOW", "ALLOW"]

    answer = await simulated(rig, tool(), session_id=session.public_id)

    assert (answer["verdict"], answer["policy"]) == ("deny", "cap")
    assert answer["steps"][0]["level"] == "session"
    assert await rig.judged(session, tool()) == "DENY"


@pytest.mark.parametrize(
    ("chain", "names"),
    [
        ("session", ["cap", "__ask_on_add_policy", "__ask_on_scheduled_task_change"]),
        ("drafts", ["guard", "care"]),
        ("both", ["cap", "guard", "care", "__ask_on_add_policy", "__ask_on_scheduled_task_change"]),
        (None, ["cap", "guard", "care", "__ask_on_add_policy", "__ask_on_scheduled_task_change"]),
    ],
)
async def test_the_chain_is_what_was_asked_for(rig: Rig, chain: str | None, names: list[str]) -> None:
    session = await rig.session()
    await rig.made(URL, CAP)

    answer = await simulated(rig, tool(), GUARD, CARE, session_id=session.public_id, chain=chain)

    assert [step["name"] for step in answer["steps"]] == names


async def test_a_draft_takes_the_place_of_the_stored_policy_of_its_name(rig: Rig) -> None:
    session = await rig.session()
    stored = await rig.made(URL, {**CAP, "factory_params": {"limit": 0}})
    await rig.made(URL, CARE)

    answer = await simulated(rig, tool("Bash"), CAP, session_id=session.public_id)

    assert (answer["verdict"], answer["policy"]) == ("ask", "care")
    first = answer["steps"][0]
    assert (first["id"], first["version"], first["verdict"]) == (stored["id"], 2, "allow")


async def test_url_policies_are_called_only_when_asked(rig: Rig) -> None:
    left_out = await simulated(rig, tool(), SERVICE, CARE)
    called = await simulated(
        rig, tool(), {**SERVICE, "handler": "https://nobody.invalid/judge"}, calls_urls=True
    )

    assert (left_out["verdict"], [step["name"] for step in left_out["steps"]]) == ("allow", ["care"])
    assert left_out["not_called"] == [{"id": "draft:1", "name": "far", "level": "server"}]
    assert (called["verdict"], called["not_called"]) == ("deny", [])
    assert called["steps"][0]["failed"] is True


async def test_a_draft_counts_whatever_its_switches_say(rig: Rig) -> None:
    answer = await simulated(rig, skill("deploy"), {**GUARD, "enabled": False, "mode": "shadow"})

    assert answer["verdict"] == "deny"


async def test_a_stored_shadow_policy_is_shown_and_decides_nothing(rig: Rig) -> None:
    session = await rig.session()
    await rig.made(URL, {**GUARD, "mode": "shadow"})

    answer = await simulated(rig, skill("deploy"), session_id=session.public_id)

    assert answer["verdict"] == "allow"
    assert (answer["steps"][0]["mode"], answer["steps"][0]["verdict"]) == ("shadow", "deny")


async def test_pages_take_the_same_on_a_thread_of_their_own(rig: Rig) -> None:
    session = await rig.session()
    await rig.made(URL, CAP)
    fields = {"event": tool("Bash"), "policies": [SERVICE, CARE], "session_id": session.public_id}
    asked = SimulationBody.model_validate({**fields, "calls_urls": True})

    answer = await rig.process.pool.run(
        simulating.simulate,
        asked,
        read_event(fields),
        principal=Principal(user_id="local", is_admin=True),
        chains=rig.process.policies.chains,
    )

    assert (answer["verdict"], answer["policy"]) == ("ask", "care")
    assert [one["name"] for one in answer["not_called"]] == ["far"]


WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "nothing": ({}, 422),
    "no policies and no session": ({"event": tool()}, 422),
    "event is a list": ({"event": [], "policies": [CAP]}, 422),
    "event without a type": ({"event": {}, "policies": [CAP]}, 400),
    "unknown phase": ({"event": {"type": "PHASE_NAP", "data": {}}, "policies": [CAP]}, 400),
    "internal phase": ({"event": {"type": "PHASE_RESPONSE", "data": {}}, "policies": [CAP]}, 400),
    "call without a name": ({"event": {"type": "PHASE_TOOL_CALL", "data": {}}, "policies": [CAP]}, 400),
    "context is text": ({"event": {**tool(), "context": "x"}, "policies": [CAP]}, 400),
    "unknown chain": ({"event": tool(), "policies": [CAP], "chain": "all"}, 422),
    "session chain without a session": ({"event": tool(), "policies": [CAP], "chain": "session"}, 422),
    "both without drafts": ({"event": tool(), "session_id": "conv_1", "chain": "both"}, 422),
    "unknown session": ({"event": tool(), "session_id": "conv_" + "0" * 32}, 404),
    "session that is no id": ({"event": tool(), "session_id": "a b"}, 404),
    "unknown session of drafts": ({"event": tool(), "policies": [CAP], "session_id": "conv_x"}, 404),
    "unknown key": ({"event": tool(), "policies": [CAP], "really": True}, 422),
    "calls_urls is text": ({"event": tool(), "policies": [CAP], "calls_urls": "yes"}, 422),
    "unregistered handler": ({"event": tool(), "policies": [{**CAP, "handler": "os.system"}]}, 400),
    "wrong parameters": ({"event": tool(), "policies": [{**CAP, "factory_params": {"lim": 1}}]}, 400),
    "unknown type": ({"event": tool(), "policies": [{**CAP, "type": "zap"}]}, 422),
    "two of a name": ({"event": tool(), "policies": [CAP, CAP]}, 400),
    "too many": ({"event": tool(), "policies": [{**CAP, "name": str(n)} for n in range(51)]}, 422),
    "url of this machine": (
        {"event": tool(), "policies": [{**SERVICE, "handler": "https://127.0.0.1/"}]},
        400,
    ),
}
CODES = {400: "invalid_input", 404: "not_found"}


@pytest.mark.parametrize("name", WRONG)
async def test_bad_input_is_refused(rig: Rig, name: str) -> None:
    body, status = WRONG[name]

    answer = await rig.http.post(SIMULATIONS, json=body)

    if status == 422:
        assert_invalid(answer, "body")
    else:
        assert_error(answer, status, CODES[status])


async def test_a_body_that_is_no_json_is_422(rig: Rig) -> None:
    assert_invalid(await rig.http.post(SIMULATIONS, content=b"{"), "body")


@pytest.mark.parametrize(
    ("rights", "status"), [({"is_staff": True}, 200), ({"is_auditor": True}, 403), ({}, 403), (None, 401)]
)
async def test_only_administrators_simulate(
    rig: Rig, settings: Settings, rights: dict[str, bool] | None, status: int
) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    headers = {} if rights is None else await rig.process.pool.run(token_of, "x", **rights)

    answer = await rig.http.post(SIMULATIONS, json={"event": tool(), "policies": [CAP]}, headers=headers)

    assert answer.status_code == status
    if status != 200:
        assert_error(answer, status, "forbidden" if status == 403 else "unauthorized")
