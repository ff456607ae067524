"""GET /v1/usage, the daily costs behind it, and usage of whole trees in snapshots and events."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from omnigent.protocol import inputs
from sessions_app.events import log
from sessions_app.models import Grant, Session, UserDailyCost
from sessions_app.services import spending, usage
from sessions_app.services.sessions import delete_session
from sessions_app.services.tick import tick_of
from tests.error_shape import assert_error
from tests.factories import make_agent, make_child, make_session
from tests.sessions.cast import caller, url
from tests.statements import CONTROL
from tests.tunnel.feed import Feed
from tests.tunnel.script import response

TOKENS = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
ZERO = {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


def used(session: Session, cost: Any = None, model: str = "m", **counts: Any) -> None:
    """A response of the session ended with this usage."""
    with tick_of([session.pk]) as tick:
        usage.add(tick, tick.sessions[session.pk], {**TOKENS, **counts, "model": model, "cost_usd": cost})


def told(session: Session, **totals: Any) -> None:
    """Somebody counts elsewhere."""
    with tick_of([session.pk]) as tick:
        usage.report(tick, tick.sessions[session.pk], inputs.ExternalSessionUsage(**totals))


def report(name: str = "owner") -> dict[str, Any]:
    body: dict[str, Any] = caller(name).request("GET", "/v1/usage").json()
    return body


def sums(name: str = "owner") -> tuple[Any, ...]:
    shown = report(name)
    return tuple(shown[key] for key in ("cost_today", "cost_last_7d", "cost_last_30d", "total_cost_usd"))


def usage_events(session: Session) -> list[dict[str, Any]]:
    entries = [orjson.loads(entry.data) for entry in log.read(session.pk, 0)]
    return [event for event in entries if event["type"] == "session.usage"]


def snapshot(session: Session) -> dict[str, Any]:
    body: dict[str, Any] = caller("admin").request("GET", url(session)).json()
    return body


def tree(*, owner: str = "owner") -> tuple[Session, Session, Session]:
    """A session, its sub-agent, and the sub-agent's."""
    top = make_session(make_agent("top", harness="scripted", model="spec-model"), owner=owner, title="Top")
    child = make_child(top, "a:b", harness_override="anthropic", created_by=owner)
    return top, child, make_child(child, "c:d", created_by=owner)


def test_who_has_used_nothing_has_spent_nothing() -> None:
    make_session(owner="owner")

    assert report() == {
        "object": "usage_report",
        "cost_today": 0.0,
        "cost_last_7d": 0.0,
        "cost_last_30d": 0.0,
        "total_cost_usd": 0.0,
        "daily_costs": [],
        "sessions": [],
    }


def test_what_has_no_price_is_named_and_not_added() -> None:
    session = make_session(owner="owner")
    used(session)

    for _ in range(2):
        assert sums() == (0.0, 0.0, 0.0, 0.0)
        (row,) = report()["sessions"]
        assert (row["cost_usd"], row["models"], row["unpriced_models"]) == (0.0, {"m": 0.0}, ["m"])
        assert [day["cost_usd"] for day in report()["daily_costs"]] == [None]
        spending.settle()
    assert (snapshot(session)["total_cost_usd"], usage_events(session)[-1]["total_cost_usd"]) == (None, None)

    used(session, cost=0.25, model="priced")
    assert sums() == (0.25, 0.25, 0.25, 0.25)


def test_a_price_of_zero_is_known() -> None:
    session = make_session(owner="owner")
    used(session, cost=0)

    assert sums() == (0.0, 0.0, 0.0, 0.0)
    assert snapshot(session)["total_cost_usd"] == 0.0


@pytest.mark.parametrize("is_settled", [False, True])
def test_the_report_is_up_to_date_before_and_after_it_is_entered(is_settled: bool) -> None:
    session = make_session(owner="owner")
    for cost in (0.5, 0.25):
        used(session, cost=cost)
        if is_settled:
            assert spending.settle() == 1
            assert spending.settle() == 0

    assert sums() == (0.75, 0.75, 0.75, 0.75)
    today = timezone.now().astimezone(UTC).date().isoformat()
    assert report()["daily_costs"] == [{"day_utc": today, "cost_usd": 0.75}]


def test_days_fall_into_their_windows() -> None:
    now = timezone.now()
    today = now.astimezone(UTC).date()
    for age, cost in ((0, 1.0), (6, 2.0), (7, 4.0), (29, 8.0), (30, 16.0), (400, 32.0)):
        UserDailyCost.objects.create(
            user_id="owner", day=today - timedelta(days=age), cost_usd=cost, updated_at=now
        )
    UserDailyCost.objects.create(user_id="reader", day=today, cost_usd=64.0, updated_at=now)

    assert sums() == (1.0, 3.0, 15.0, 63.0)
    days = [day["day_utc"] for day in report()["daily_costs"]]
    assert (len(days), days == sorted(days)) == (6, True)


def test_a_row_is_a_whole_tree() -> None:
    top, child, grandchild = tree()
    used(top, cost=1.0)
    used(child, cost=0.5, model="n")
    used(grandchild, cost=0.25)
    Session.objects.filter(pk=top.pk).update(reported_model="m")

    (row,) = report()["sessions"]

    top.refresh_from_db()
    assert row == {
        "id": top.public_id,
        "created_at": int(top.created_at.timestamp()),
        "updated_at": int(top.updated_at.timestamp()),
        "title": "Top",
        "cost_usd": 1.75,
        "models": {"m": 1.25, "n": 0.5},
        "unpriced_models": [],
        "harness": "scripted",
        "other_harnesses": ["anthropic"],
        "llm_model": "m",
        "agent_name": "top",
    }
    assert sums() == (1.75, 1.75, 1.75, 1.75)


def test_a_root_that_used_nothing_stands_for_its_sub_agents() -> None:
    top, child, _ = tree()
    used(child, cost=0.5)

    (row,) = report()["sessions"]

    assert (row["id"], row["cost_usd"], row["llm_model"]) == (top.public_id, 0.5, "spec-model")


def test_everybody_pays_for_what_they_own() -> None:
    top, child, _ = tree()
    Grant.objects.create(session=top, user_id="editor", level=3)
    used(child, cost=1.0)
    used(make_session(owner="editor"), cost=2.0)

    for _ in range(2):
        assert (sums()[0], sums("editor")[0], sums("stranger")[0], sums("admin")[0]) == (1.0, 2.0, 0.0, 0.0)
        assert [len(report(name)["sessions"]) for name in ("owner", "editor", "admin")] == [1, 1, 0]
        spending.settle()


def test_a_runner_learns_nothing_of_its_owners_spending() -> None:
    assert_error(caller("runner").request("GET", "/v1/usage"), 403, "forbidden")


def test_costs_outlive_their_session() -> None:
    top, child, _ = tree()
    used(top, cost=1.0)
    spending.settle()
    used(child, cost=0.5)

    assert delete_session(session_pk=top.pk)

    assert sums() == (1.5, 1.5, 1.5, 1.5)
    assert report()["sessions"] == []


def test_the_sessions_above_are_told_of_the_whole() -> None:
    top, child, grandchild = tree()
    other = make_child(top, "e:f")
    used(top, cost=1.0)
    spending.settle()

    used(grandchild, cost=0.5, model="n")
    spending.settle()

    assert usage_events(other) == []
    for session in (top, child, grandchild):
        event, shown = usage_events(session)[-1], snapshot(session)
        assert (event["total_cost_usd"], event["usage_by_model"]) == (
            shown["total_cost_usd"],
            shown["usage_by_model"],
        )
        assert event["conversation_id"] == session.public_id
    assert [len(usage_events(session)) for session in (top, child, grandchild)] == [2, 1, 1]
    assert snapshot(top)["total_cost_usd"] == 1.5
    assert set(snapshot(top)["usage_by_model"]) == {"m", "n"}

    used(top, cost=0.25)
    assert usage_events(top)[-1]["total_cost_usd"] == snapshot(top)["total_cost_usd"] == 1.75


def test_a_deleted_sub_agent_leaves_the_totals() -> None:
    top, child, _ = tree()
    used(top, cost=1.0)
    used(child, cost=0.5)
    spending.settle()

    delete_session(session_pk=child.pk)
    spending.settle()

    assert usage_events(top)[-1]["total_cost_usd"] == snapshot(top)["total_cost_usd"] == 1.0
    assert sums()[0] == 1.5


def statements(action: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        action()
    return len([query for query in captured if not query["sql"].startswith(CONTROL)])


def test_a_pass_takes_as_many_statements_for_many_as_for_few() -> None:
    used(tree()[1], cost=0.5)
    few = statements(spending.settle)
    for number in range(10):
        top = make_session(owner=f"user {number}")
        used(top, cost=0.5)
        used(make_child(top, "a:b"), cost=0.5)

    assert statements(spending.settle) == few <= 7


def test_the_report_takes_as_many_statements_for_many_as_for_few() -> None:
    used(make_session(owner="owner"), cost=0.5)
    few = statements(report)
    for _ in range(20):
        top = make_session(owner="owner")
        used(make_child(top, "a:b"), cost=0.5)

    assert statements(report) == few <= 3


def test_totals_from_elsewhere_replace_and_never_shrink() -> None:
    session = make_session(owner="owner")
    told(session, model="m", cumulative_input_tokens=10, cumulative_output_tokens=4, cumulative_cost_usd=1.0)
    told(session, model="n", cumulative_input_tokens=15, cumulative_output_tokens=4, cumulative_cost_usd=1.5)
    told(session, model="n", cumulative_input_tokens=3, cumulative_output_tokens=1, cumulative_cost_usd=0.1)

    assert snapshot(session)["usage_by_model"] == {
        "m": {**ZERO, "input_tokens": 10, "output_tokens": 4, "total_tokens": 14, "total_cost_usd": 1.0},
        "n": {**ZERO, "input_tokens": 5, "output_tokens": 0, "total_tokens": 5, "total_cost_usd": 0.5},
    }
    spending.settle()
    assert sums()[0] == 1.5


def test_a_context_is_set_as_told() -> None:
    session = make_session(owner="owner")
    told(session, context_tokens=100, context_window=200_000)
    told(session, context_tokens=50)

    shown = snapshot(session)
    assert (shown["last_total_tokens"], shown["context_window"]) == (50, 200_000)
    assert (shown["usage_by_model"], shown["total_cost_usd"]) == (None, None)
    assert [event["context_tokens"] for event in usage_events(session)] == [100, 50]
    assert report()["sessions"] == []


def test_the_cost_for_policies_is_kept_apart() -> None:
    session = make_session(owner="owner")
    told(session, policy_cost_usd=2.0)
    told(session, policy_cost_usd=1.0)

    session.refresh_from_db()
    assert (session.policy_cost_usd, snapshot(session)["total_cost_usd"]) == (2.0, None)


@pytest.mark.parametrize("cost", [-1.0, "1", True, [1], 1e300, float("nan"), float("inf"), None])
def test_a_cost_that_is_no_amount_is_unknown(cost: Any) -> None:
    session = make_session(owner="owner")
    used(session, cost=cost)

    assert snapshot(session)["total_cost_usd"] is None
    assert snapshot(session)["usage_by_model"]["m"]["total_tokens"] == 15


def test_a_runners_response_brings_its_cost(settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "single-user"
    feed = Feed()
    feed.message()
    feed.take(
        response("in_progress"), response("completed", usage={**TOKENS, "model": "x" * 400, "cost_usd": 0.5})
    )

    assert Client(headers={"host": "127.0.0.1:6767"}).get("/v1/usage").json()["cost_today"] == 0.5
    (event,) = usage_events(feed.session)
    assert (event["total_cost_usd"], list(event["usage_by_model"])) == (0.5, ["x" * 256])
