"""Reports that are refused: bad data, endless data, and people who may not report."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from omnigent.ids import runner_id_for
from omnigent.protocol import inputs as protocol
from sessions_app.models import Grant, LogEntry
from sessions_app.services.inputs import post
from sessions_app.services.receipts import Receipts
from tests.error_shape import assert_error
from tests.factories import make_runner, make_session
from tests.inputs.rig import Rig
from tests.inputs.test_reports import report

TOKEN = "the runner's own token"

GOOD: dict[str, dict[str, Any]] = {
    "session_status": report("session_status", status="running"),
    "session_interrupted": report("session_interrupted"),
    "session_usage": report("session_usage", context_tokens=5),
    "elicitation_resolved": report("elicitation_resolved", elicitation_id="e"),
    "compaction_status": report("compaction_status", status="in_progress"),
    "session_title": report("session_title", title="t"),
    "session_todos": report("session_todos", todos=[]),
    "model_change": report("model_change", model="m"),
    "reasoning_effort_change": report("reasoning_effort_change", reasoning_effort="high"),
    "tool_output_delta": report("tool_output_delta", call_id="c", delta="d"),
    "output_reasoning_delta": report("output_reasoning_delta", delta="d"),
    "output_text_delta": report("output_text_delta", delta="d"),
    "assistant_message": report("assistant_message", agent="a", text="t"),
    "subagent_start": report("subagent_start", subagent_id="s"),
    "conversation_item": report(
        "conversation_item", item_type="message", item_data={"role": "assistant", "content": []}
    ),
}


# -- bad input -------------------------------------------------------------------------------------------


BAD = [
    report("session_status"),
    report("session_status", status="sleeping"),
    report("session_status", status="launching"),
    report("session_status", status=None),
    report("session_status", status="failed", output=7),
    report("session_status", status="idle", background_task_count="two"),
    report("session_status", status="idle", background_tasks={}),
    report("session_interrupted", response_id=7),
    report("session_usage"),
    report("session_usage", model="m"),
    report("session_usage", cumulative_cache_read_input_tokens=3),
    report("session_usage", context_tokens=-1),
    report("session_usage", context_window=0),
    report("session_usage", cumulative_cost_usd=-0.5),
    report("session_usage", cumulative_input_tokens="many"),
    report("session_usage", cumulative_output_tokens=1.5),
    report("session_usage", context_tokens=True),
    report("elicitation_resolved"),
    report("elicitation_resolved", elicitation_id=None),
    report("compaction_status"),
    report("compaction_status", status="done"),
    report("session_title"),
    report("session_title", title=""),
    report("session_title", title="   "),
    report("session_title", title="x" * 201),
    report("session_title", title="two\nlines"),
    report("session_title", title=7),
    report("session_todos"),
    report("session_todos", todos={}),
    report("session_todos", todos=None),
    report("model_change", model=7),
    report("reasoning_effort_change", reasoning_effort="huge"),
    report("reasoning_effort_change", reasoning_effort=3),
    report("tool_output_delta", call_id="c"),
    report("tool_output_delta", delta="d"),
    report("tool_output_delta", call_id=1, delta="d"),
    report("output_reasoning_delta"),
    report("output_reasoning_delta", delta="d", started="yes"),
    {"type": "mcp_elicitation", "data": {}},
    {"type": "mcp_elicitation", "data": {"message": 7}},
    {"type": "mcp_elicitation", "data": {"message": "m", "requestedSchema": []}},
]


@pytest.mark.parametrize("body", BAD, ids=lambda body: f"{body['type']} {str(body['data'])[:50]}")
async def test_bad_reports_change_nothing(rig: Rig, body: dict[str, Any]) -> None:
    session_id = await rig.session()
    before = await rig.snapshot(session_id)

    error = assert_error(await rig.post(session_id, body), 400, "invalid_input")

    assert body["type"] in error["error"]["message"] or "reasoning_effort" in error["error"]["message"]
    assert await rig.log(session_id) == []
    assert await rig.snapshot(session_id) == before


@pytest.mark.parametrize(
    "body",
    [
        report("session_usage", cumulative_input_tokens=10**30, cumulative_cost_usd=1e300),
        report("session_usage", context_tokens=10**30, context_window=10**30),
        report("session_status", status="idle", background_task_count=10**30),
        report("session_status", status="failed", output="x" * 100_000),
        report("session_status", status="running", response_id="r" * 100_000, blocked_on={"deep": [[[]]]}),
        report("session_todos", todos=[{"content": "x" * 100_000}] * 20),
        report("model_change", model="m" * 100_000),
        report("elicitation_resolved", elicitation_id="e" * 100_000),
    ],
    ids=lambda body: f"{body['type']} {str(body['data'])[:40]}",
)
async def test_extremes_are_no_server_error(rig: Rig, body: dict[str, Any]) -> None:
    session_id = await rig.session()

    answer = await rig.post(session_id, json.dumps(body).encode())

    assert answer.status_code in (202, 400), answer.text
    assert (await rig.snapshot(session_id))["id"] == session_id


# -- who may report --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_only_the_owner_and_the_bound_runner_report(
    settings: Settings, transactional_db: None, body: dict[str, Any]
) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    runner = make_runner(TOKEN, owner="owner")
    session = make_session(owner="owner", runner_id=runner.public_id)
    for level, name in enumerate(("reader", "editor", "manager"), start=1):
        Grant.objects.create(session=session, user_id=name, level=level)
    people = {name: Principal(user_id=name, is_admin=False) for name in ("reader", "editor", "manager")}
    other = Principal(user_id="owner", is_admin=False, kind="runner", runner_id=runner_id_for("other"))
    bound = Principal(user_id="owner", is_admin=False, kind="runner", runner_id=runner.public_id)

    def attempt(principal: Principal) -> int:
        try:
            post(principal, session.public_id, protocol.read_event(body), Receipts(None, b""))
        except OmnigentError as error:
            return error.status
        return 202

    assert {attempt(one) for one in people.values()} == {403}
    assert attempt(Principal(user_id="stranger", is_admin=False)) == attempt(other) == 404
    assert not LogEntry.objects.exists()
    assert attempt(Principal(user_id="owner", is_admin=False)) == attempt(bound) == 202
