"""POST /v1/policy-backtests: however long the log is, memory, time and the pool's threads are bounded."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from policies_app.services import backtesting
from policies_app.services.replaying import Recorded, Replay
from policies_app.simulation_bodies import BacktestBody
from tests.policies_rest.log import append
from tests.policies_rest.people import URL
from tests.policies_rest.simulator_rig import BACKTESTS, CAP, GUARD, NONE, Rig, decided, deploys, served

TEXT = "x" * 4096


@pytest.fixture
async def rig(transactional_db: None) -> AsyncIterator[Rig]:
    async with served() as running:
        yield running


async def outcome(rig: Rig, policy: Any, **more: Any) -> dict[str, Any]:
    return await rig.made(BACKTESTS, {"policy": policy, "days": 7, **more})


async def test_rows_over_the_limit_are_the_oldest_and_make_it_partial(rig: Rig) -> None:
    rows = [deploys("allow", at=at) for at in range(5)]
    await rig.process.pool.run(append, *rows)

    answer = await outcome(rig, GUARD, limit=2)

    assert (answer["evaluated"], answer["left_out"], answer["is_partial"]) == (2, 3, True)
    shown = [one["decision_id"] for one in answer["examples"]["allow_to_deny"]]
    assert shown == [row.decision_id for row in rows[3:]]


async def test_time_that_is_up_makes_it_partial(rig: Rig) -> None:
    await rig.process.pool.run(append, *(decided(at=at) for at in range(300)))

    answer = await outcome(rig, CAP, max_seconds=1e-6)

    assert (answer["is_partial"], answer["left_out"], answer["evaluated"]) == (True, 0, 0)
    assert answer["until"] is None


@pytest.mark.timeout(180)
async def test_ten_thousand_decisions_take_bounded_memory_and_a_statement_for_each_piece(
    transactional_db: None, settings: Settings
) -> None:
    """The one thread of the pool stays free for others meanwhile."""
    settings.OMNIGENT_POOL_THREADS = 1
    executed: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if "policies_app_decision" in sql:
            executed.append(sql)
        return execute(sql, *rest)

    async with served() as rig:
        for _ in range(20):
            rows = [decided("Bash", arguments={"command": TEXT}, session_id=f"conv_{n}") for n in range(500)]
            await rig.process.pool.run(append, *rows)
        await rig.process.pool.run(lambda: connection.execute_wrappers.append(note))
        tracemalloc.start()
        running = asyncio.create_task(outcome(rig, CAP, days=1, limit=10_000, max_seconds=60.0))
        others = 0
        while not running.done():
            assert (await rig.http.get(URL)).status_code == 200
            others += 1
        answer = await running
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert (answer["evaluated"], answer["is_partial"]) == (10_000, False)
    assert answer["counts"] == {**NONE, "allow_to_deny": 9_000, "unchanged": 1_000}
    assert len(executed) == 1 + 10_000 // backtesting.ROWS
    assert peak < 12_000_000, peak
    assert others > 10


@pytest.mark.django_db
def test_pages_take_the_same_on_a_thread_of_their_own() -> None:
    append(*(decided(at=at) for at in range(600)))
    asked = BacktestBody.model_validate({"policy": CAP, "days": 1})

    with CaptureQueriesContext(connection) as captured:
        answer = backtesting.backtest(asked)

    assert answer["counts"] == {**NONE, "allow_to_deny": 598, "unchanged": 2}
    assert len(captured) == 1 + 3


def test_what_is_remembered_of_sessions_is_bounded() -> None:
    replay = Replay(max_carried=2000)
    for number in range(50):
        row = decided(session_id=f"conv_{number}")
        replay.event_of(
            Recorded(
                seq=number,
                decision_id=row.decision_id,
                session_id=row.session_id,
                created_at=row.created_at,
                phase="tool_call",
                target="fetch",
                verdict="allow",
                reason="",
                policy_id="",
                steps="[]",
                input=None,
                input_digest="",
                elicitation_id="",
            )
        )

    assert replay.forgotten == 47
