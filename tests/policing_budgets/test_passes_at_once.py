"""Two servers add up the same tree at the same time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection

from omnigent.protocol.inputs import ExternalSessionUsage
from sessions_app.models import Session
from sessions_app.services import spending, usage
from sessions_app.services.tick import tick_of
from tests.policing_budgets.spending import Spending

READS_TREES = '"parent_id" AS "parent_id", "sessions_app_session"."usage_by_model" AS "usage_by_model"'
BLOCKED = 0.5


def told(session_id: str, dollars: float) -> None:
    """Report what a session has cost in all, in a transaction of its own."""
    pk = Session.objects.values_list("pk", flat=True).get(public_id=session_id)
    with tick_of([pk]) as tick:
        usage.report(tick, tick.sessions[pk], ExternalSessionUsage(cumulative_cost_usd=dollars))


async def test_a_pass_never_writes_over_what_another_one_has_added_up(rig: Spending) -> None:
    top = await rig.session()
    first, second = await rig.below(top, "a:1"), await rig.below(top, "a:2")
    await rig.run(told, first, 0.25)
    await rig.judged()
    loop, beside = asyncio.get_running_loop(), list[Future[None]]()

    def another_server() -> None:
        told(second, 0.5)
        spending.settle()
        told(first, 1.0)

    def interrupting(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        rows = execute(sql, params, many, context)
        if READS_TREES in sql and not beside:
            beside.append(asyncio.run_coroutine_threadsafe(rig.run(another_server), loop))
            # It has to wait for this pass if that one holds the tree, and comes first if not.
            with suppress(TimeoutError):
                beside[0].result(BLOCKED)
        return rows

    def one_server() -> None:
        # The process makes passes of its own, and one of them may come first.
        for cents in range(30, 90):
            told(first, cents / 100)
            with connection.execute_wrapper(interrupting):
                spending.settle()
            if beside:
                return

    await rig.run(one_server)
    await asyncio.wrap_future(beside[0])
    await rig.judged()

    row = await rig.row(top)
    assert row.policy_cost_below_usd == pytest.approx(1.5)
    assert (await rig.snapshot(top))["total_cost_usd"] == pytest.approx(1.5)
