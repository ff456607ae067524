"""PATCH /v1/sessions/{id}."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from sessions_app.models import LogEntry, Outbox, Session
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_child, make_runner, make_session, user_said

RUNNER = {"X-Omnigent-Runner-Tunnel-Token": "secret"}


@pytest.fixture
async def session(process: Process) -> Session:
    return await process.pool.run(make_session)


def url(session: Session) -> str:
    return f"/v1/sessions/{session.public_id}"


async def logged(process: Process, session: Session) -> list[dict[str, Any]]:
    rows = await process.pool.run(
        lambda: list(LogEntry.objects.filter(session=session).order_by("seq").values_list("data", flat=True))
    )
    return [orjson.loads(row) for row in rows]


async def test_an_empty_patch_changes_nothing(
    http: httpx.AsyncClient, session: Session, process: Process
) -> None:
    await process.pool.run(user_said, session, "Hello")
    before = (await http.get(url(session))).json()

    answer = await http.patch(url(session), json={})

    assert answer.status_code == 200
    assert answer.json() == {**before, "items": []}
    assert await logged(process, session) == []


async def test_a_title_is_set_shown_and_cleared(
    http: httpx.AsyncClient, session: Session, process: Process
) -> None:
    assert (await http.patch(url(session), json={"title": " New "})).json()["title"] == "New"
    assert (await http.patch(url(session), json={"title": None})).json()["title"] == "New"
    assert (await http.patch(url(session), json={"title": ""})).json()["title"] is None

    events = await logged(process, session)
    assert [(event["type"], event["title"]) for event in events] == [
        ("session.title", "New"),
        ("session.title", None),
    ]
    assert events[0]["conversation_id"] == session.public_id


async def test_the_same_title_again_is_not_news(
    http: httpx.AsyncClient, session: Session, process: Process
) -> None:
    await http.patch(url(session), json={"title": "Same"})
    before = (await http.get(url(session))).json()

    assert (await http.patch(url(session), json={"title": "Same"})).json() == before
    assert len(await logged(process, session)) == 1


async def test_labels_merge(http: httpx.AsyncClient, session: Session) -> None:
    await http.patch(url(session), json={"labels": {"env": "prod", "team": "a"}})

    answer = await http.patch(url(session), json={"labels": {"env": "test", "omni_project": "p"}})

    assert answer.json()["labels"] == {"env": "test", "team": "a", "omni_project": "p"}
    cleared = await http.patch(url(session), json={"labels": {"omni_project": ""}})
    assert "omni_project" not in cleared.json()["labels"]


async def test_a_pin_is_the_callers_own(http: httpx.AsyncClient, session: Session) -> None:
    pinned = await http.patch(url(session), json={"labels": {"omnigent.pinned": "1"}})
    assert pinned.json()["labels"] == {"omnigent.pinned": "1"}

    unpinned = await http.patch(url(session), json={"labels": {"omnigent.pinned": ""}})
    assert unpinned.json()["labels"] == {}


async def test_parallel_label_writes_lose_nothing(http: httpx.AsyncClient, session: Session) -> None:
    await asyncio.gather(
        *(http.patch(url(session), json={"labels": {f"k{number}": str(number)}}) for number in range(12))
    )

    labels = (await http.get(f"{url(session)}/labels")).json()["labels"]
    assert labels == {f"k{number}": str(number) for number in range(12)}


async def test_effort_and_model_are_set_shown_and_cleared(
    http: httpx.AsyncClient, session: Session, process: Process
) -> None:
    set_ = (
        await http.patch(url(session), json={"reasoning_effort": "max", "model_override": "gpt-5"})
    ).json()
    cleared = (
        await http.patch(url(session), json={"reasoning_effort": "default", "model_override": "reset"})
    ).json()

    assert (set_["reasoning_effort"], set_["model_override"], set_["llm_model"]) == ("max", "gpt-5", "gpt-5")
    assert (cleared["reasoning_effort"], cleared["model_override"], cleared["llm_model"]) == (
        None,
        None,
        None,
    )
    assert [event["type"] for event in await logged(process, session)] == [
        "session.reasoning_effort",
        "session.model",
    ] * 2


async def test_a_live_runner_is_told_of_the_model(http: httpx.AsyncClient, process: Process) -> None:
    runner = await process.pool.run(make_runner)
    session = await process.pool.run(make_session, runner_id=runner.public_id)

    await http.patch(url(session), json={"model_override": "gpt-5"})

    rows = await process.pool.run(lambda: list(Outbox.objects.values_list("kind", "body")))
    assert [(kind, orjson.loads(body)) for kind, body in rows] == [
        ("control", {"type": "model_change", "model": "gpt-5"})
    ]


async def test_archiving_stamps_and_unpins(http: httpx.AsyncClient, session: Session) -> None:
    await http.patch(url(session), json={"labels": {"omnigent.pinned": "1"}})

    archived = (await http.patch(url(session), json={"archived": True})).json()
    assert archived["archived"] is True
    assert set(archived["labels"]) == {"omnigent.archived_at"}
    assert (await http.get("/v1/sessions")).json()["data"] == []

    restored = (await http.patch(url(session), json={"archived": False})).json()
    assert (restored["archived"], restored["labels"]) == (False, {})


async def test_external_session_id_is_written_once(http: httpx.AsyncClient, session: Session) -> None:
    assert (await http.patch(url(session), json={"external_session_id": "x"})).status_code == 200
    assert (await http.patch(url(session), json={"external_session_id": "x"})).status_code == 200
    assert_error(await http.patch(url(session), json={"external_session_id": "y"}), 400, "invalid_input")


async def test_binding_a_runner_forgives_the_last_failure(http: httpx.AsyncClient, process: Process) -> None:
    runner = await process.pool.run(make_runner)
    error = {"code": "runner_disconnected", "message": "gone"}
    session = await process.pool.run(make_session, status="failed", last_task_error=error)

    snapshot = (await http.patch(url(session), json={"runner_id": runner.public_id})).json()

    assert (snapshot["runner_id"], snapshot["runner_online"]) == (runner.public_id, True)
    assert (snapshot["status"], snapshot["last_task_error"]) == ("idle", None)
    assert [event["type"] for event in await logged(process, session)] == ["session.status"]


async def test_binding_delivers_the_message_nobody_answered(
    http: httpx.AsyncClient, process: Process
) -> None:
    runner = await process.pool.run(make_runner)
    session = await process.pool.run(make_session)
    item_id = await process.pool.run(user_said, session, "Hello?")

    snapshot = (await http.patch(url(session), json={"runner_id": runner.public_id})).json()

    assert snapshot["status"] == "running"
    rows = await process.pool.run(lambda: list(Outbox.objects.values_list("kind", "item_id")))
    assert rows == [("message", item_id)]


async def test_an_empty_runner_id_unbinds(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session, runner_id="runner_x")

    assert (await http.patch(url(session), json={"runner_id": ""})).json()["runner_id"] is None


async def test_an_unknown_runner_is_refused(http: httpx.AsyncClient, session: Session) -> None:
    answer = await http.patch(url(session), json={"runner_id": "runner_x"})

    assert_error(answer, 400, "invalid_input", "runner 'runner_x' is not registered")


async def test_the_last_of_two_binds_wins(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)
    runners = [(await process.pool.run(make_runner, token)).public_id for token in ("one", "two")]

    await asyncio.gather(*(http.patch(url(session), json={"runner_id": runner}) for runner in runners))
    await http.patch(url(session), json={"runner_id": runners[0]})

    assert (await http.get(url(session))).json()["runner_id"] == runners[0]


@pytest.mark.parametrize(
    ("body", "loc", "kind"),
    [
        ({"nonsense": 1}, "nonsense", "extra_forbidden"),
        ({"title": 5}, "title", "string_type"),
        ({"title": "x" * 201}, "title", "string_too_long"),
        ({"labels": {"a": None}}, "labels", "string_type"),
        ({"labels": {"": "x"}}, "labels", "string_too_short"),
        ({"archived": "maybe"}, "archived", "bool_parsing"),
        ({"terminal_launch_args": "x"}, "terminal_launch_args", "list_type"),
        ({"runner_id": 5}, "runner_id", "string_type"),
        ({"title": "\0"}, "title", "value_error"),
    ],
)
async def test_bad_fields_are_named(
    http: httpx.AsyncClient, session: Session, body: dict[str, Any], loc: str, kind: str
) -> None:
    assert_invalid(await http.patch(url(session), json=body), "body", loc, kind=kind)


async def test_a_list_is_no_patch(http: httpx.AsyncClient, session: Session) -> None:
    assert_invalid(await http.patch(url(session), json=[]), "body", kind="model_attributes_type")


@pytest.mark.parametrize(
    "bad",
    [
        {"reasoning_effort": "huge"},
        {"model_override": "-x"},
        {"runner_id": "runner_x"},
        {"labels": {"omnigent.turn_actor": "x"}},
        {"permission_mode": "plan"},
        {"delete_worktree": True, "archived": False},
    ],
)
async def test_one_bad_field_leaves_all_unchanged(
    http: httpx.AsyncClient, session: Session, process: Process, bad: dict[str, Any]
) -> None:
    before = (await http.get(url(session))).json()

    answer = await http.patch(
        url(session), json={"title": "New", "labels": {"a": "b"}, "archived": True, **bad}
    )

    assert_error(answer, 400, "invalid_input")
    assert (await http.get(url(session))).json() == before
    assert await logged(process, session) == []


async def test_a_childs_title_stays_unique(
    http: httpx.AsyncClient, session: Session, process: Process
) -> None:
    await process.pool.run(make_child, session, "a:b")
    child = await process.pool.run(make_child, session, "a:c")

    assert_error(await http.patch(url(child), json={"title": "a:b"}), 409, "conflict")
    assert (await http.patch(url(child), json={"title": "a:d"})).json()["title"] == "a:d"


@pytest.mark.parametrize("field", [{"runner_id": ""}, {"archived": True}])
async def test_a_runner_may_label_but_not_rule(
    http: httpx.AsyncClient, process: Process, field: dict[str, Any]
) -> None:
    runner = await process.pool.run(make_runner)
    session = await process.pool.run(make_session, runner_id=runner.public_id)

    allowed = await http.patch(
        f"{url(session)}?include_usage=false", json={"labels": {"cost_control.x": "1"}}, headers=RUNNER
    )

    assert allowed.status_code == 200
    assert allowed.json()["usage_included"] is False
    assert_error(await http.patch(url(session), json=field, headers=RUNNER), 403, "forbidden")


async def test_updated_at_moves_with_a_change(http: httpx.AsyncClient, process: Process) -> None:
    def ancient() -> Session:
        session = make_session()
        Session.objects.filter(pk=session.pk).update(updated_at="2020-01-01T00:00:00Z")
        return session

    session = await process.pool.run(ancient)
    untouched = (await http.patch(url(session), json={})).json()["updated_at"]
    touched = (await http.patch(url(session), json={"labels": {"a": "b"}})).json()["updated_at"]

    assert (untouched, touched > untouched) == (1577836800, True)


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    "body",
    [{"title": "T"}, {"model_override": "m"}, {"reasoning_effort": "low"}],
    ids=["title", "model", "effort"],
)
async def test_snapshot_plus_events_is_the_new_snapshot(
    http: httpx.AsyncClient, session: Session, process: Process, body: dict[str, Any]
) -> None:
    before = (await http.get(url(session))).json()
    apply: dict[str, Change] = {
        "session.title": lambda event: {"title": event["title"]},
        "session.model": lambda event: {"model_override": event["model"], "llm_model": event["model"]},
        "session.reasoning_effort": lambda event: {"reasoning_effort": event["reasoning_effort"]},
    }

    after = (await http.patch(url(session), json=body)).json()

    for event in await logged(process, session):
        before |= apply[event["type"]](event)
    moving = {"updated_at", "resume_after"}
    assert {k: v for k, v in before.items() if k not in moving} == {
        k: v for k, v in after.items() if k not in moving
    }
