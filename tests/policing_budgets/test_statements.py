"""What a pass costs: it depends on how many trees have grown, not on how many sessions they have."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from sessions_app.models import Session, Turn
from tests.factories import make_child
from tests.policing_budgets.spending import COST, Spending
from tests.statements import CONTROL

IN_PASS: Final[ContextVar[bool]] = ContextVar("in_pass", default=False)
"""Set while a pass is under way: database threads work in the context of who asked them."""
USED = {"m": {"input_tokens": 1, "total_tokens": 1, "total_cost_usd": 0.5}}


@pytest.fixture
def quick(quick: Settings) -> Settings:
    """One thread, whose statements are all there are, and nobody else at work."""
    quick.OMNIGENT_POOL_THREADS = 1
    quick.OMNIGENT_OUTBOX_SECONDS = 3600.0
    return quick


async def statements(rig: Spending) -> int:
    """How many a pass takes."""
    seen: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if IN_PASS.get() and not sql.startswith(CONTROL):
            seen.append(sql)
        return execute(sql, params, many, context)

    await rig.process.deliveries.stop()
    # The connection is that of the thread which asks for it.
    await rig.run(lambda: connection.execute_wrappers.append(note))
    token = IN_PASS.set(True)
    await rig.process.enforcer.enforce()
    IN_PASS.reset(token)
    await rig.run(lambda: connection.execute_wrappers.remove(note))
    return len(seen)


async def spent(rig: Spending, session_id: str, children: int) -> None:
    """A tree in which everybody runs and has spent half a dollar."""

    def make() -> None:
        top = Session.objects.get(public_id=session_id)
        tree = [top, *(make_child(top, f"a:{number}") for number in range(children))]
        Session.objects.filter(pk__in=[one.pk for one in tree]).update(
            status="running", usage_by_model=USED, is_usage_due=True
        )
        Turn.objects.bulk_create(Turn(session=one, opened_at=timezone.now()) for one in tree)

    await rig.run(make)


@pytest.mark.parametrize(("limit", "stopped"), [(0.6, 1), (1000.0, 0)])
async def test_a_pass_takes_as_many_statements_for_a_large_tree_as_for_a_small_one(
    rig: Spending, limit: float, stopped: int
) -> None:
    taken = []
    for number, children in enumerate((2, 2, 30)):
        top = await rig.session()
        await rig.attach(top, "cap", f"{COST}.cost_budget", max_cost_usd=limit)
        await spent(rig, top, children)
        taken.append(await statements(rig))
        assert len(await rig.stops()) == stopped * (number + 1)
        assert await rig.interruptions(top) == stopped

    _, few, many = taken
    assert many == few <= 24


async def test_without_budgets_a_tree_takes_two_statements_more(rig: Spending) -> None:
    async def most(trees: int) -> int:
        """Of several passes, as a late bell may have had a tree looked at before one of them."""
        taken = []
        for _ in range(3):
            for _ in range(trees):
                await spent(rig, await rig.session(), 2)
            taken.append(await statements(rig))
        return max(taken)

    await most(1)
    one, five = await most(1), await most(5)
    assert five - one == 4 * 2
