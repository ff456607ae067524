"""Shadow mode: a policy that is asked and logged and decides nothing, and what it would have said."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from policies_app.services import shadowing
from tests.error_shape import assert_error, assert_invalid
from tests.policies_rest.log import append
from tests.policies_rest.people import URL
from tests.policies_rest.simulator_rig import CARE, GUARD, NONE, Rig, decided, served, skill, token_of


@pytest.fixture
async def rig(transactional_db: None) -> AsyncIterator[Rig]:
    async with served() as running:
        yield running


async def summary(rig: Rig, policy: dict[str, Any], **query: Any) -> dict[str, Any]:
    answer = await rig.http.get(f"{URL}/{policy['id']}/shadow", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def newest(rig: Rig) -> dict[str, Any]:
    row: dict[str, Any] = (await rig.http.get("/v1/policy-decisions")).json()["data"][0]
    return row


async def test_a_policy_in_shadow_mode_is_logged_and_decides_nothing(rig: Rig) -> None:
    session = await rig.session()
    policy = await rig.made(URL, {**GUARD, "mode": "shadow"})
    assert policy["mode"] == "shadow"

    assert await rig.judged(session, skill("deploy")) == "ALLOW"

    row = await newest(rig)
    assert (row["verdict"], row["policy_id"], [step["name"] for step in row["steps"]]) == (
        "allow",
        None,
        ["__ask_on_add_policy", "__ask_on_scheduled_task_change"],
    )
    assert [(one["id"], one["verdict"]) for one in row["shadow"]] == [(policy["id"], "deny")]


async def test_the_mode_is_changed_by_patch_and_holds_at_once(rig: Rig) -> None:
    session = await rig.session()
    policy = await rig.made(URL, {**GUARD, "mode": "shadow"})

    said = []
    for mode in ("enforce", "shadow"):
        changed = await rig.http.patch(f"{URL}/{policy['id']}", json={"mode": mode})
        assert (changed.status_code, changed.json()["mode"]) == (200, mode)
        said.append(await rig.judged(session, skill("deploy")))

    assert said == ["DENY", "ALLOW"]
    assert_invalid(await rig.http.patch(f"{URL}/{policy['id']}", json={"mode": "off"}), "body", "mode")


async def test_a_session_s_policy_can_be_in_shadow_mode(rig: Rig) -> None:
    session = await rig.session()
    path = f"/v1/sessions/{session.public_id}/policies"
    policy = await rig.made(path, {**GUARD, "mode": "shadow"})

    assert await rig.judged(session, skill("deploy")) == "ALLOW"

    assert [one["id"] for one in (await newest(rig))["shadow"]] == [policy["id"]]


async def test_the_summary_tells_what_it_would_have_said(rig: Rig) -> None:
    session = await rig.session()
    policy = await rig.made(URL, {**GUARD, "mode": "shadow"})
    other = await rig.made(URL, {**CARE, "mode": "shadow"})
    for name in ("deploy", "deploy", "read"):
        assert await rig.judged(session, skill(name)) == "ALLOW"

    body = await summary(rig, policy)

    examples = body.pop("examples")
    assert body == {
        "object": "policy_shadow",
        "policy_id": policy["id"],
        "days": 7,
        "decisions": 3,
        "said": {"allow": 1, "deny": 2, "ask": 0},
        "failed": 0,
        "is_partial": False,
        "counts": {**NONE, "allow_to_deny": 2, "unchanged": 1},
    }
    assert [one["after"]["verdict"] for one in examples["allow_to_deny"]] == ["deny", "deny"]
    assert examples["allow_to_deny"][0]["session_id"] == session.public_id
    assert (await summary(rig, other))["said"] == {"allow": 3, "deny": 0, "ask": 0}


async def test_every_difference_is_told_from_what_was_decided(rig: Rig) -> None:
    policy = await rig.made(URL, {**GUARD, "mode": "shadow"})

    def row(verdict: str, said: str, **more: Any) -> Any:
        step = {"id": policy["id"], "name": "guard", "version": 1, "verdict": said, **more}
        return decided("fetch", verdict, shadow=[{"id": "pol_srv_x", "verdict": "allow"}, step])

    rows = [row("allow", "ask"), row("deny", "allow"), row("ask", "deny"), row("deny", "deny", failed=True)]
    old = decided(age=9 * 86400, shadow=rows[0].shadow)
    await rig.process.pool.run(append, old, *rows, decided(reason=policy["id"]))

    body = await summary(rig, policy)

    assert body["counts"] == {**NONE, "now_asks": 1, "deny_to_allow": 1, "ask_to_deny": 1, "unchanged": 1}
    assert (body["decisions"], body["failed"]) == (4, 1)
    assert (await summary(rig, policy, days=30))["decisions"] == 5


@pytest.mark.django_db
@pytest.mark.parametrize("count", [3, 300])
def test_the_summary_takes_two_statements(count: int) -> None:
    step = {"id": "pol_srv_1", "name": "a", "version": 1, "verdict": "deny"}
    append(*(decided(shadow=[step]) for _ in range(count)))

    with CaptureQueriesContext(connection) as captured:
        body = shadowing.shadow_summary("pol_srv_1", 7)

    assert (body["said"]["deny"], len(captured)) == (count, 2)
    assert len(body["examples"]["allow_to_deny"]) == min(count, shadowing.MAX_EXAMPLES)


@pytest.mark.django_db
def test_time_that_is_up_makes_the_summary_partial() -> None:
    step = {"id": "pol_srv_1", "name": "a", "version": 1, "verdict": "deny"}
    append(decided(shadow=[step], created_at=timezone.now()))

    assert shadowing.shadow_summary("pol_srv_1", 7, max_seconds=0.0)["is_partial"] is True


@pytest.mark.parametrize("days", ["0", "366", "x", ""])
async def test_wrong_days_are_422(rig: Rig, days: str) -> None:
    policy = await rig.made(URL, GUARD)

    assert_invalid(await rig.http.get(f"{URL}/{policy['id']}/shadow", params={"days": days}), "query", "days")


@pytest.mark.parametrize("policy_id", ["pol_srv_" + "0" * 32, "a b"])
async def test_an_unknown_policy_is_404(rig: Rig, policy_id: str) -> None:
    assert_error(await rig.http.get(f"{URL}/{policy_id}/shadow"), 404, "not_found")


@pytest.mark.parametrize(
    ("rights", "status"), [({"is_staff": True}, 404), ({"is_auditor": True}, 404), ({}, 403), (None, 401)]
)
async def test_administrators_and_auditors_read_it(
    rig: Rig, settings: Settings, rights: dict[str, bool] | None, status: int
) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    headers = {} if rights is None else await rig.process.pool.run(token_of, "x", **rights)

    answer = await rig.http.get(f"{URL}/pol_srv_unknown/shadow", headers=headers)

    codes = {401: "unauthorized", 403: "forbidden", 404: "not_found"}
    assert_error(answer, status, codes[status])
