"""POST /v1/policy-backtests: what a draft says of what was decided."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_django import Settings

from policies_app.models import Decision
from tests.error_shape import assert_error, assert_invalid
from tests.policies_rest.log import append
from tests.policies_rest.people import URL
from tests.policies_rest.simulator_rig import (
    BACKTESTS,
    CAP,
    CARE,
    GUARD,
    NONE,
    Rig,
    decided,
    deploys,
    served,
    skill,
    token_of,
    tool,
)

LOOP = {"name": "loop", "type": "python", "handler": "omnigent.policies.builtins.safety.detect_loop"}


@pytest.fixture
async def rig(transactional_db: None) -> AsyncIterator[Rig]:
    async with served() as running:
        yield running


async def outcome(rig: Rig, policy: Any, **more: Any) -> dict[str, Any]:
    return await rig.made(BACKTESTS, {"policy": policy, "days": 7, **more})


async def test_differences_are_counted_and_shown(rig: Rig) -> None:
    rows = [
        deploys("allow", reason="", actor="ada"),
        deploys("deny", reason="no"),
        deploys("ask", reason="may I?"),
        decided("fetch", "allow"),
        decided("fetch", "deny", reason="not that"),
        decided("fetch", "ask"),
    ]
    await rig.process.pool.run(append, *rows)

    answer = await outcome(rig, GUARD)

    assert answer["counts"] == {
        **NONE,
        "allow_to_deny": 1,
        "ask_to_deny": 1,
        "deny_to_allow": 1,
        "ask_to_allow": 1,
        "unchanged": 2,
    }
    (example,) = answer["examples"]["allow_to_deny"]
    assert example == {
        "decision_id": rows[0].decision_id,
        "session_id": "conv_1",
        "created_at": rows[0].created_at.timestamp(),
        "phase": "tool_call",
        "target": "load_skill",
        "before": {"verdict": "allow", "reason": None},
        "after": {"verdict": "deny", "reason": example["after"]["reason"]},
    }
    assert "deploy" in example["after"]["reason"]
    freed = answer["examples"]["deny_to_allow"][0]
    assert (freed["before"], freed["after"]) == (
        {"verdict": "deny", "reason": "not that"},
        {"verdict": "allow", "reason": None},
    )
    assert (answer["decisions"], answer["evaluated"], answer["is_partial"]) == (6, 6, False)


async def test_a_draft_that_asks_is_counted(rig: Rig) -> None:
    await rig.process.pool.run(append, decided("Bash"), decided("Bash", "deny"), decided("fetch"))

    answer = await outcome(rig, CARE)

    assert answer["counts"] == {**NONE, "now_asks": 2, "unchanged": 1}


async def test_counters_are_carried_session_by_session(rig: Rig) -> None:
    rows = [decided(session_id=f"conv_{at % 2}", at=at) for at in range(8)]
    await rig.process.pool.run(append, *rows)

    answer = await outcome(rig, CAP)

    assert answer["counts"] == {**NONE, "allow_to_deny": 4, "unchanged": 4}
    denied = [one["decision_id"] for one in answer["examples"]["allow_to_deny"]]
    assert denied == [row.decision_id for row in rows[4:]]


async def test_what_an_ask_wants_remembered_is_remembered(rig: Rig) -> None:
    """A loop that was asked about has gone on: the next repetition is asked about as well."""
    await rig.process.pool.run(append, *(decided(at=at) for at in range(5)))

    answer = await outcome(rig, {**LOOP, "factory_params": {"window": 3, "threshold": 3}})

    assert answer["counts"] == {**NONE, "now_asks": 3, "unchanged": 2}


async def test_an_action_that_was_held_counts_once(rig: Rig) -> None:
    held: dict[str, Any] = {"input_digest": "a" * 64, "elicitation_id": "elicit_1"}
    rows = [decided("fetch", "ask", **held), decided("fetch", "allow", **held), decided("fetch")]
    await rig.process.pool.run(append, *rows)

    answer = await outcome(rig, CAP)

    assert (answer["decisions"], answer["evaluated"], answer["continued"]) == (3, 2, 1)
    assert answer["counts"] == {**NONE, "ask_to_allow": 1, "unchanged": 1}


async def test_rows_without_an_input_are_skipped(rig: Rig) -> None:
    await rig.process.pool.run(append, decided(input=None), decided(input=["x"]), decided())

    answer = await outcome(rig, GUARD)

    assert (answer["decisions"], answer["evaluated"], answer["skipped"]) == (3, 1, 2)


async def test_redacted_inputs_are_counted(rig: Rig) -> None:
    await rig.process.pool.run(append, decided(arguments={"token": "[redacted]"}), decided())

    assert (await outcome(rig, GUARD))["redacted"] == 1


async def test_a_draft_in_the_stead_of_a_policy_changes_only_what_that_one_said(rig: Rig) -> None:
    def steps(*said: tuple[str, str]) -> list[dict[str, Any]]:
        return [{"id": name, "name": name, "version": 1, "verdict": verdict} for name, verdict in said]

    rows = [
        decided("fetch", "deny", policy_id="pol_a", steps=steps(("pol_a", "deny"))),
        decided("fetch", "deny", policy_id="pol_b", steps=steps(("pol_a", "allow"), ("pol_b", "deny"))),
        deploys("deny", policy_id="pol_b", steps=steps(("pol_b", "deny"))),
        deploys("ask", policy_id="pol_b", steps=steps(("pol_a", "allow"), ("pol_b", "ask"))),
    ]
    await rig.process.pool.run(append, *rows)

    answer = await outcome(rig, GUARD, replaces="pol_a")

    assert answer["counts"] == {**NONE, "deny_to_allow": 1, "ask_to_deny": 1, "unchanged": 2}
    assert answer["examples"]["deny_to_allow"][0]["decision_id"] == rows[0].decision_id


async def test_days_phases_and_session_choose_the_rows(rig: Rig) -> None:
    day = 86400.0
    rows = [
        decided(age=9 * day),
        decided(age=2 * day),
        decided(session_id="conv_" + "1" * 32),
        decided(phase="request", input={"data": {"user_content": "hi", "attachments": []}}),
    ]
    await rig.process.pool.run(append, *rows)

    async def count(**asked: Any) -> int:
        return int((await outcome(rig, GUARD, **asked))["decisions"])

    assert await count() == 3
    assert await count(days=1) == 2
    assert await count(days=30) == 4
    assert await count(session_id="1" * 32) == 1
    assert await count(session_id="conv_nobody") == 0
    assert await count(phases=["request"]) == 1


async def test_real_decisions_of_a_session_can_be_backtested(rig: Rig) -> None:
    session = await rig.session()
    stored = await rig.made(URL, {**GUARD, "factory_params": {"blocked": ["publish"]}})
    events = [skill("deploy"), skill("publish"), tool()]
    assert [await rig.judged(session, event) for event in events] == ["ALLOW", "DENY", "ALLOW"]

    answer = await outcome(rig, GUARD, replaces=stored["id"])

    assert answer["counts"] == {**NONE, "allow_to_deny": 1, "deny_to_allow": 1, "unchanged": 1}
    assert await rig.process.pool.run(Decision.objects.count) == 3


WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "nothing": ({}, 422),
    "no days": ({"policy": CAP}, 422),
    "days 0": ({"policy": CAP, "days": 0}, 422),
    "days 366": ({"policy": CAP, "days": 366}, 422),
    "days are text": ({"policy": CAP, "days": "7"}, 422),
    "limit 0": ({"policy": CAP, "days": 1, "limit": 0}, 422),
    "limit too large": ({"policy": CAP, "days": 1, "limit": 100_001}, 422),
    "unknown phase": ({"policy": CAP, "days": 1, "phases": ["nap"]}, 422),
    "no phases": ({"policy": CAP, "days": 1, "phases": []}, 422),
    "seconds": ({"policy": CAP, "days": 1, "max_seconds": 61}, 422),
    "unknown key": ({"policy": CAP, "days": 1, "really": True}, 422),
    "policy is text": ({"policy": "cap", "days": 1}, 422),
    "nameless": ({"policy": {**CAP, "name": " "}, "days": 1}, 422),
    "unregistered handler": ({"policy": {**CAP, "handler": "os.system"}, "days": 1}, 400),
    "wrong parameters": ({"policy": {**CAP, "factory_params": {"limit": -1}}, "days": 1}, 400),
    "url": ({"policy": {"name": "u", "type": "url", "handler": "https://p.example.com/"}, "days": 1}, 400),
    "model": (
        {
            "policy": {
                "name": "m",
                "type": "python",
                "handler": "omnigent.policies.builtins.prompt.prompt_policy",
                "factory_params": {"prompt": "Be good."},
            },
            "days": 1,
        },
        400,
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_bad_input_is_refused(rig: Rig, name: str) -> None:
    body, status = WRONG[name]

    answer = await rig.http.post(BACKTESTS, json=body)

    if status == 422:
        assert_invalid(answer, "body")
    else:
        assert_error(answer, status, "invalid_input")


@pytest.mark.parametrize(
    ("rights", "status"), [({"is_staff": True}, 200), ({"is_auditor": True}, 403), ({}, 403), (None, 401)]
)
async def test_only_administrators_backtest(
    rig: Rig, settings: Settings, rights: dict[str, bool] | None, status: int
) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    headers = {} if rights is None else await rig.process.pool.run(token_of, "x", **rights)

    answer = await rig.http.post(BACKTESTS, json={"policy": CAP, "days": 1}, headers=headers)

    assert answer.status_code == status
    if status != 200:
        assert_error(answer, status, "forbidden" if status == 403 else "unauthorized")
