"""How far people have agreed to go with what they spend on a day; kept beside the day's costs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from omnigent.policies.types import StateUpdate
from sessions_app.models import UserDailyCost
from sessions_app.statements import query

KEYS = frozenset({"_policy_user_daily_ask_approved_usd", "_policy_user_period_ask_approved_usd"})
YEAR = 366

_AGREE = """
INSERT INTO sessions_app_userdailycost AS cost (user_id, day, cost_usd, ask_approved_usd, updated_at)
VALUES (%s, %s, NULL, %s, %s) ON CONFLICT (user_id, day) DO UPDATE SET updated_at = excluded.updated_at,
ask_approved_usd = CASE WHEN cost.ask_approved_usd < excluded.ask_approved_usd
THEN excluded.ask_approved_usd ELSE cost.ask_approved_usd END
"""


def write(user_id: str, updates: Sequence[StateUpdate], now: datetime) -> None:
    """Enter what was agreed; never less than before."""
    agreed = max((float(update.value or 0) for update in updates), default=0.0)
    today = now.astimezone(UTC).date()
    query(
        _AGREE,
        [
            user_id,
            connection.ops.adapt_datefield_value(today),
            agreed,
            connection.ops.adapt_datetimefield_value(now),
        ],
    )


def of_year(user_id: str, today: date) -> list[Mapping[str, Any]]:
    """A person's days since the year or the week began, the newest first, as policies are shown them."""
    if not user_id:
        return []
    week = today - timedelta(days=today.weekday())
    days = UserDailyCost.objects.filter(user_id=user_id, day__gte=min(week, today.replace(month=1, day=1)))
    return [
        {
            "user_id": user_id,
            "day_utc": row.day.isoformat(),
            "cost_usd": row.cost_usd or 0.0,
            "ask_approved_usd": row.ask_approved_usd,
        }
        for row in days.order_by("-day")[:YEAR]
    ]
