"""Budgets of people: what is spent in any of their sessions counts, exactly, and stops all of them."""

import asyncio
from typing import Any

import pytest

from sessions_app.models import Session, UserDailyCost
from sessions_app.services import spending
from tests.policing_budgets.spending import COST, Spending, denied, made

OVER = "The owner of this session (today) has spent $1.20 of the limit of $1.00."


@pytest.mark.parametrize("handler", ["user_daily_cost_budget", "user_period_cost_budget"])
async def test_a_person_over_the_days_budget_is_stopped_in_every_session(rig: Spending, handler: str) -> None:
    period: dict[str, Any] = {"period": "day"} if "period" in handler else {}
    await rig.everywhere("a day", f"{COST}.{handler}", max_cost_usd=1.0, **period)
    first, second, others = await rig.top(), await rig.top(), await rig.top(owner="olga")
    await rig.runs(first, second, others)
    await rig.spends(first, 0.6)
    await rig.judged()
    assert await rig.interruptions(first) == 0

    await rig.spends(second, 0.6)

    await rig.interrupted(first, second)
    await rig.judged()
    assert await rig.interruptions(others) == 0
    assert {stop.session_id for stop in await rig.stops()} == {first, second}
    words = OVER if not period else OVER.replace("today", "this day")
    assert denied(await rig.use(first, operation="mcpop_1")).startswith(f"Denied by policy: {words}")
    assert (await rig.refusal(await rig.top())).startswith(words)
    assert made(await rig.use(others, operation="mcpop_2"))


async def test_concurrent_reports_lose_no_cent(rig: Spending) -> None:
    tops = [await rig.top() for _ in range(4)]
    children = [await rig.below(top, f"a:{number}") for top in tops for number in range(5)]

    for number in (1, 2, 3):
        # As other server processes do, several add up at once.
        others = [rig.run(spending.settle) for _ in range(6)]
        reports = [rig.spends(child, 0.07 * number, model="m") for child in children]
        await asyncio.gather(*reports, *others)
    await rig.judged()

    def sums() -> tuple[float | None, list[float | None]]:
        shown = Session.objects.filter(public_id__in=tops).values_list("policy_cost_below_usd", flat=True)
        return UserDailyCost.objects.get(user_id="local").cost_usd, list(shown)

    day, trees = await rig.run(sums)
    assert day == pytest.approx(20 * 0.21, abs=1e-9)
    assert trees == pytest.approx([5 * 0.21] * 4, abs=1e-9)
    costs = [(await rig.snapshot(top))["total_cost_usd"] for top in tops]
    assert costs == pytest.approx([5 * 0.21] * 4, abs=1e-9)
