"""A sub-agent's question may be answered from every session above it, by who may answer in both."""

import asyncio
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from omnigent.protocol import inputs as protocol
from sessions_app.models import Elicitation, Grant, Session
from sessions_app.services import inputs, verdicts
from sessions_app.services.receipts import Receipts
from tests.error_shape import assert_error
from tests.factories import ask, make_child, make_session
from tests.inputs.fake_runner import FakeRunner, began
from tests.inputs.rig import Rig


def verdict(elicitation_id: Any, action: Any = "accept") -> dict[str, Any]:
    return {"type": "approval", "data": {"elicitation_id": elicitation_id, "action": action}}


def question(elicitation_id: str) -> dict[str, Any]:
    params = {"mode": "url", "message": "May I?", "phase": "tool_call", "content_preview": "{}"}
    return {"type": "response.elicitation_request", "elicitation_id": elicitation_id, "params": params}


async def asked(rig: Rig, runner: FakeRunner) -> tuple[str, str]:
    """A parent and its sub-agent, which waits for a verdict on `elicit_1`."""
    parent_id = await rig.bound(runner)

    def below() -> str:
        parent = Session.objects.get(public_id=parent_id)
        return make_child(parent, "a:b", runner_id=runner.runner_id).public_id

    child_id = await rig.run(below)
    await rig.say(child_id, "go")
    await rig.delivered(child_id)
    await runner.tell(child_id, *began("resp_1"), question("elicit_1"))
    return parent_id, child_id


async def resolve(rig: Rig, session_id: str, elicitation_id: str, action: str) -> httpx.Response:
    url = f"/v1/sessions/{session_id}/elicitations/{elicitation_id}/resolve"
    return await rig.http.post(url, json={"action": action})


async def test_it_waits_in_the_parent_too(rig: Rig, runner: FakeRunner) -> None:
    parent_id, child_id = await asked(rig, runner)

    [pending] = (await rig.snapshot(parent_id))["pending_elicitations"]
    shown = (await rig.http.get(f"/v1/sessions/{parent_id}/elicitations/elicit_1")).json()

    assert pending["params"]["target_session_id"] == child_id
    assert (shown["status"], shown["message"]) == ("pending", "May I?")
    told = dict(await rig.log(parent_id))["response.elicitation_request"]
    assert {key: told[key] for key in pending} == pending


@pytest.mark.parametrize("road", ["in-band", "address"])
async def test_the_parents_verdict_is_the_childs(rig: Rig, runner: FakeRunner, road: str) -> None:
    parent_id, child_id = await asked(rig, runner)

    if road == "in-band":
        answer = await rig.post(parent_id, verdict("elicit_1", "decline"))
    else:
        answer = await resolve(rig, parent_id, "elicit_1", "decline")

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    await rig.delivered(child_id)
    assert [body["data"]["action"] for body in runner.taken if body["type"] == "approval"] == ["decline"]
    for session_id in (parent_id, child_id):
        [resolved] = [e for kind, e in await rig.log(session_id) if kind == "response.elicitation_resolved"]
        assert (resolved["elicitation_id"], resolved["action"]) == ("elicit_1", "decline")
        assert (await rig.snapshot(session_id))["pending_elicitations"] == []


async def test_verdicts_from_both_sides_have_one_winner(rig: Rig, runner: FakeRunner) -> None:
    parent_id, child_id = await asked(rig, runner)

    answers = await asyncio.gather(
        rig.post(parent_id, verdict("elicit_1", "accept")),
        resolve(rig, child_id, "elicit_1", "decline"),
        resolve(rig, parent_id, "elicit_1", "accept"),
        rig.post(child_id, verdict("elicit_1", "decline")),
    )

    assert {answer.status_code for answer in answers} == {202}
    assert ["resolution" in answer.json() for answer in answers].count(False) == 1
    await rig.delivered(child_id)
    assert runner.kinds().count("approval") == 1


async def test_a_copy_survives_a_restart(rig: Rig, runner: FakeRunner) -> None:
    parent_id, child_id = await asked(rig, runner)

    await rig.door.restart()

    assert len((await rig.snapshot(parent_id))["pending_elicitations"]) == 1
    await runner.connect()
    assert (await rig.post(parent_id, verdict("elicit_1"))).json() == {"queued": False}
    await rig.delivered(child_id)
    assert runner.kinds() == ["message", "approval"]


async def test_a_parents_question_is_unknown_to_its_child(rig: Rig, runner: FakeRunner) -> None:
    parent_id, child_id = await asked(rig, runner)
    row = await rig.run(lambda: ask(Session.objects.get(public_id=parent_id)))

    assert_error(await resolve(rig, child_id, row.public_id, "accept"), 404, "not_found")
    assert (await rig.post(child_id, verdict(row.public_id))).json() == {"queued": False}

    await rig.run(row.refresh_from_db)
    assert row.status == "pending"


# -- who may answer ------------------------------------------------------------------------------------


@pytest.fixture
def family(settings: Settings, db: None) -> tuple[Session, Session]:
    """A session of `owner` with one grant of each level, and its sub-agent, which asks `elicit_1`."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    parent = make_session(owner="owner")
    for level, name in enumerate(("reader", "editor", "manager"), start=1):
        Grant.objects.create(session=parent, user_id=name, level=level)
    child = make_child(parent, "a:b")
    row = ask(child)
    Elicitation.objects.filter(pk=row.pk).update(public_id="elicit_1")
    return parent, child


def in_band(session: Session, name: str, *, is_admin: bool = False) -> int:
    event = protocol.read_event(verdict("elicit_1"))
    try:
        inputs.post(Principal(user_id=name, is_admin=is_admin), session.public_id, event, Receipts(None, b""))
    except OmnigentError as error:
        return error.status
    return 202


def by_address(session: Session, name: str, *, is_admin: bool = False) -> int:
    try:
        verdicts.resolve(
            Principal(user_id=name, is_admin=is_admin),
            session.public_id,
            elicitation_id="elicit_1",
            action="accept",
            content=None,
            receipts=Receipts(None, b""),
        )
    except OmnigentError as error:
        return error.status
    return 202


ROADS = pytest.mark.parametrize("road", [in_band, by_address], ids=["in-band", "address"])
WHERE = pytest.mark.parametrize("where", [0, 1], ids=["at the parent", "at the child"])


@ROADS
@WHERE
@pytest.mark.parametrize(
    ("approvers", "name", "status"),
    [
        ("owner", "stranger", 404),
        ("owner", "reader", 403),
        ("owner", "editor", 403),
        ("owner", "manager", 403),
        ("owner", "owner", 202),
        ("edit", "stranger", 404),
        ("edit", "reader", 403),
        ("edit", "editor", 202),
        ("edit", "manager", 202),
        ("edit", "owner", 202),
    ],
)
def test_who_may_answer_is_a_setting(
    family: tuple[Session, Session],
    settings: Settings,
    road: Any,
    where: int,
    approvers: str,
    name: str,
    status: int,
) -> None:
    settings.OMNIGENT_APPROVERS = approvers

    assert road(family[where], name) == status

    row = Elicitation.objects.get()
    assert row.status == ("accepted" if status == 202 else "pending")
    assert row.resolved_by == (name if status == 202 else "")


@ROADS
def test_an_administrator_may_answer(family: tuple[Session, Session], road: Any) -> None:
    assert road(family[0], "boss", is_admin=True) == 202


@ROADS
def test_a_right_on_the_parent_alone_is_not_enough(family: tuple[Session, Session], road: Any) -> None:
    """A direct grant on the sub-agent stands above what its parent gives."""
    parent, child = family
    Grant.objects.create(session=child, user_id="owner", level=1)

    assert road(parent, "owner") == 403

    assert Elicitation.objects.get().status == "pending"


async def test_the_only_user_may_always_answer(rig: Rig, runner: FakeRunner, settings: Settings) -> None:
    settings.OMNIGENT_APPROVERS = "owner"
    _, child_id = await asked(rig, runner)

    assert (await rig.post(child_id, verdict("elicit_1"))).status_code == 202
