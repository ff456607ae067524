"""Slash commands: a person calls a skill, and the agent gets what the skill says, once."""

import asyncio
from typing import Any

import pytest

from agents_app.models import Agent
from agents_app.services import register_builtin
from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from omnigent.protocol import inputs as protocol
from sessions_app.models import Outbox, Session
from sessions_app.services.inputs import post
from sessions_app.services.receipts import Receipts
from tests.error_shape import assert_error
from tests.factories import label, make_child, make_session
from tests.inputs.fake_host import FakeHost
from tests.inputs.fake_runner import LOSE_AFTER, REFUSE, FakeRunner, ended, status, turn
from tests.inputs.rig import Rig
from tests.inputs.waiting import until

DOCUMENT = b"""\
spec_version: 1
name: skilled
description: d
prompt: p
executor: {config: {harness: scripted}}
"""


def skill(name: str, text: str, front: str = "") -> dict[str, bytes]:
    body = f"---\nname: {name}\ndescription: about {name}\n{front}---\n\n{text}\n"
    return {f"skills/{name}/SKILL.md": body.encode()}


def skilled_agent() -> Agent:
    """An agent with two skills that people may call, and one that they may not."""
    files = {
        "config.yaml": DOCUMENT,
        **skill("review", "Read the diff of $ARGUMENTS with care."),
        **skill("ship", "Release it."),
        **skill("inner", "Only for the agent.", "user-invocable: false\n"),
    }
    return register_builtin(files=files)


def command(name: Any = "review", **data: Any) -> dict[str, Any]:
    return {"type": "slash_command", "data": {"kind": "skill", "name": name, **data}}


async def skilled(rig: Rig, runner: FakeRunner) -> str:
    agent = await rig.run(skilled_agent)
    return await rig.bound(runner, agent=agent)


def texts(runner: FakeRunner) -> list[str]:
    """What the runner was given to do."""
    return [body["content"][0]["text"] for body in runner.taken if body["type"] == "message"]


async def test_a_command_is_stored_shown_and_run(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)

    answer = await rig.post(session_id, command(arguments="main..topic"))

    [item] = await rig.items(session_id)
    assert (answer.status_code, answer.json()) == (202, {"queued": True, "item_id": item["id"]})
    assert (item["type"], item["kind"], item["name"]) == ("slash_command", "skill", "review")
    assert (item["arguments"], item["model"]) == ("main..topic", "skilled")
    [shown] = [e for kind, e in await rig.log(session_id) if kind == "session.input.consumed"]
    assert (shown["data"]["item_id"], shown["data"]["type"]) == (item["id"], "slash_command")
    assert (shown["data"]["data"]["name"], shown["data"]["data"]["arguments"]) == ("review", "main..topic")
    await rig.delivered(session_id)
    assert runner.messages == [item["id"]]
    [text] = texts(runner)
    assert "Read the diff of main..topic with care." in text
    snapshot = await rig.snapshot(session_id)
    assert (snapshot["status"], snapshot["title"]) == ("running", "/review main..topic")
    assert [one["type"] for one in snapshot["items"]] == ["slash_command"]


async def test_words_without_a_place_follow_the_instructions(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)

    await rig.post(session_id, command("ship", arguments=" to production "))

    await rig.delivered(session_id)
    assert texts(runner)[0].endswith("Release it.\n\nArguments: to production")


async def test_the_runner_is_asked_first(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)
    runner.skills = {"review": "The runner's own", "local": "Of the workspace"}

    for name in ("review", "local"):
        assert (await rig.post(session_id, command(name, arguments="a"))).status_code == 202

    await rig.delivered(session_id)
    assert texts(runner) == ["The runner's own <a>", "Of the workspace <a>"]


async def test_an_unknown_skill_names_those_there_are(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)
    before = await rig.counts()

    by_bundle = assert_error(await rig.post(session_id, command("nope")), 400, "invalid_input")
    runner.skills = {"one": "", "two": ""}
    by_runner = assert_error(await rig.post(session_id, command("nope")), 400, "invalid_input")

    assert by_bundle["error"]["message"] == "Skill 'nope' not found. Available skills: ['review', 'ship']"
    assert by_runner["error"]["message"] == "Skill 'nope' not found. Available skills: ['one', 'two']"
    assert await rig.counts() == before


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(command("inner"), id="not for people"),
        pytest.param(command(""), id="empty name"),
        pytest.param(command("../review"), id="path"),
        pytest.param(command("x" * 5000), id="endless name"),
        pytest.param(command(None), id="no name"),
        pytest.param(command(7), id="name of a wrong type"),
        pytest.param(command(kind="command"), id="another kind"),
        pytest.param(command(kind=None), id="no kind"),
        pytest.param(command(arguments=["x"]), id="arguments of a wrong type"),
        pytest.param({"type": "slash_command"}, id="no data"),
    ],
)
async def test_bad_commands_store_nothing(rig: Rig, runner: FakeRunner, body: Any) -> None:
    session_id = await skilled(rig, runner)
    before = await rig.counts()

    error = assert_error(await rig.post(session_id, body, key="k"), 400, "invalid_input")

    assert len(error["error"]["message"]) < 500
    assert await rig.counts() == before
    assert await rig.status(session_id) == "idle"


async def test_without_a_runner_nothing_is_stored(rig: Rig, runner: FakeRunner) -> None:
    agent = await rig.run(skilled_agent)
    nowhere = await rig.session(agent=agent)
    gone = await skilled(rig, runner)
    await runner.disconnect()
    before = await rig.counts()

    for session_id in (nowhere, gone):
        assert_error(await rig.post(session_id, command(), key="k"), 503, "runner_unavailable")

    assert await rig.counts() == before


async def test_a_runner_is_launched_for_a_command(rig: Rig, host: FakeHost) -> None:
    agent = await rig.run(skilled_agent)
    session_id = await rig.hosted(host, agent=agent)

    answer = await rig.post(session_id, command())

    assert answer.status_code == 202
    await rig.delivered(session_id)
    [runner] = host.runners.values()
    assert runner.messages == [answer.json()["item_id"]]


async def test_a_closed_sub_agent_takes_no_command(rig: Rig, runner: FakeRunner) -> None:
    parent_id = await skilled(rig, runner)

    def closed() -> str:
        child = make_child(Session.objects.get(public_id=parent_id), "a:b", runner_id=runner.runner_id)
        label(child, **{"omnigent.closed": "true"})
        return child.public_id

    child_id = await rig.run(closed)

    assert_error(await rig.post(child_id, command()), 409, "conflict")
    assert await rig.items(child_id) == []


async def test_a_key_makes_a_command_once(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)

    answers = await asyncio.gather(*(rig.post(session_id, command(), key="k") for _ in range(5)))

    known = [answer.json()["item_id"] for answer in answers if answer.status_code == 202]
    assert known
    assert len(set(known)) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    await rig.delivered(session_id)
    assert runner.messages == known[:1]
    await runner.disconnect()
    again = await rig.post(session_id, command(), key="k")
    assert (again.status_code, again.json()["item_id"]) == (202, known[0])
    other = await rig.post(session_id, command("ship"), key="k")
    assert_error(other, 422, "idempotency_mismatch")


async def test_a_command_that_meets_a_lost_tunnel_is_run_once(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)
    runner.plan.append(LOSE_AFTER)

    answer = await rig.post(session_id, command())
    await until(lambda: runner.line is None, "the tunnel is lost")
    await runner.connect()

    await rig.delivered(session_id)
    assert runner.messages == [answer.json()["item_id"]]


async def test_a_command_survives_a_restart(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)
    runner.gate.clear()
    answer = await rig.post(session_id, command())

    await rig.door.restart()
    runner.gate.set()
    await runner.connect()

    await rig.delivered(session_id)
    assert runner.messages == [answer.json()["item_id"]]


async def test_a_refused_command_fails_its_turn(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)
    runner.plan.append(REFUSE)

    answer = await rig.post(session_id, command())

    shown = await rig.becomes(session_id, "failed")
    assert shown["last_task_error"]["item_id"] == answer.json()["item_id"]


async def test_a_lost_command_is_run_again_on_request(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)
    item_id = (await rig.post(session_id, command(arguments="x"))).json()["item_id"]
    await rig.delivered(session_id)
    await runner.tell(session_id, status("running"), status("failed", error={"code": "c", "message": "m"}))
    await rig.becomes(session_id, "failed")

    answer = await rig.post(session_id, {"type": "retry_session"})

    assert answer.status_code == 202
    await until(lambda: len(runner.posted) == 2, "the command is sent again")
    assert runner.posted[-1]["persisted_item_id"] == item_id
    assert "Read the diff of x with care." in runner.posted[-1]["content"][0]["text"]


async def test_a_command_steers_a_running_turn(rig: Rig, runner: FakeRunner) -> None:
    session_id = await skilled(rig, runner)
    first = await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *turn("resp_1", "a")[:-2])

    second = (await rig.post(session_id, command())).json()["item_id"]

    await rig.delivered(session_id)
    assert runner.messages == [first, second]
    await runner.tell(session_id, *ended("resp_1"))
    await rig.becomes(session_id, "idle")


def test_a_reader_may_not_call_a_skill(settings: Any, transactional_db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    session = make_session(owner="owner")
    event = protocol.read_event(command())

    with pytest.raises(OmnigentError) as refused:
        post(Principal(user_id="nobody", is_admin=False), session.public_id, event, Receipts(None, b""))

    assert refused.value.status == 404
    assert not Outbox.objects.exists()
