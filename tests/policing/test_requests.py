"""What people ask for: denied, asked about, and posted exactly once whatever happens meanwhile."""

import asyncio
from typing import Any

import pytest
from django.test import Client

from sessions_app.models import HeldAction, Session
from tests.error_shape import assert_error
from tests.factories import make_child
from tests.inputs.reader import Reader
from tests.inputs.rig import said
from tests.inputs.waiting import eventually, until
from tests.policing.policed import Line, Policed, ask, deny
from tests.policing.tool_runner import ToolRunner

SENTINEL = "[Denied by policy: not today]"


async def denying(rig: Policed, runner: ToolRunner, word: str = "deploy") -> str:
    """A session in which nobody may say this word."""
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "gate", answer=deny("not today"), phases=["request"], word=word)
    return session_id


async def asking(rig: Policed, runner: ToolRunner, **more: Any) -> str:
    """A session in which every message is asked about."""
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "care", answer=ask("sure?"), phases=["request"], more=more)
    return session_id


async def texts(rig: Policed, session_id: str) -> list[tuple[str, str]]:
    """(role, text) of every message in the conversation."""
    rows = await rig.items(session_id)
    return [(row["role"], row["content"][0]["text"]) for row in rows]


def path(session_id: str) -> str:
    return f"/v1/sessions/{session_id}/events"


async def posted(rig: Policed, runner: ToolRunner, session_id: str, *words: str) -> None:
    """The agent was given exactly these, and the conversation holds them."""
    await rig.delivered(session_id)
    given = [body["content"][0]["text"] for body in runner.taken if body["type"] == "message"]
    assert given == list(words)
    assert await texts(rig, session_id) == [("user", one) for one in words]


async def test_a_denied_message_is_not_stored_and_the_conversation_says_so(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await denying(rig, runner)
    reader = Reader(rig.door, session_id)
    await reader.connect()

    answer = await rig.post(session_id, said("deploy it"))

    assert answer.status_code == 202
    assert answer.json() == {"queued": False, "denied": True, "reason": "not today"}
    assert await texts(rig, session_id) == [("assistant", SENTINEL)]
    [item] = await rig.items(session_id)
    assert item["response_id"].startswith("deny_")
    kinds = [
        "response.output_text.delta",
        "response.output_item.done",
        "response.completed",
        "session.status",
    ]
    await until(lambda: [kind for _, kind, _ in reader.received] == kinds, "the reader sees it")
    assert not any("deploy it" in data for _, _, data in reader.received)
    await reader.disconnect()
    assert runner.posted == []


async def test_the_next_message_is_judged_by_itself(rig: Policed, runner: ToolRunner) -> None:
    session_id = await denying(rig, runner)
    await rig.post(session_id, said("deploy it"))

    await rig.say(session_id, "test it")

    await rig.delivered(session_id)
    assert await texts(rig, session_id) == [("assistant", SENTINEL), ("user", "test it")]


async def test_a_denied_message_posted_again_under_its_key_is_told_the_same(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await denying(rig, runner)

    answers = [await rig.post(session_id, said("deploy it"), key="k") for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert len(await rig.items(session_id)) == 1
    assert len(await rig.decisions()) == 1


async def test_an_accepted_message_is_posted_once_and_starts_its_turn(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await asking(rig, runner)
    waiting = await rig.parked(session_id, "go")
    assert await rig.items(session_id) == []
    [shown] = await rig.pending(session_id)
    assert (shown["params"]["message"], shown["params"]["content_preview"]) == ("care: sure?", "go")
    assert (shown["params"]["mode"], shown["params"]["phase"]) == ("form", "request")

    await rig.settle(session_id)

    answer = await waiting
    assert (answer.status_code, answer.json()["queued"]) == (202, True)
    assert answer.json()["item_id"] == (await rig.items(session_id))[0]["id"]
    await posted(rig, runner, session_id, "go")
    assert await rig.pending(session_id) == []


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_refused_message_is_denied(rig: Policed, runner: ToolRunner, action: str) -> None:
    session_id = await asking(rig, runner)
    waiting = await rig.parked(session_id, "go")

    await rig.settle(session_id, action)

    answer = (await waiting).json()
    assert (answer["queued"], answer["denied"]) == (False, True)
    assert answer["reason"].startswith("care: sure?")
    assert await texts(rig, session_id) == [("assistant", f"[Denied by policy: {answer['reason']}]")]
    assert runner.posted == []


async def test_a_message_that_nobody_answers_for_in_time_is_denied(rig: Policed, runner: ToolRunner) -> None:
    session_id = await asking(rig, runner, ask_timeout=0.3)

    answer = await asyncio.wait_for(rig.post(session_id, said("go")), 30)

    assert answer.json()["denied"] is True
    assert runner.posted == []
    resolved = [event for kind, event in await rig.log(session_id) if kind == "response.elicitation_resolved"]
    assert [event["action"] for event in resolved] == ["cancel"]


async def test_whoever_hangs_up_and_comes_again_with_the_key_waits_on(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await asking(rig, runner)
    line = Line(rig.door, path(session_id), said("go"), **{"idempotency-key": "k"})
    question = await rig.question(session_id)
    await line.hang_up()
    assert await rig.pending(session_id) == [question]

    again = Line(rig.door, path(session_id), said("go"), **{"idempotency-key": "k"})
    await rig.settle(session_id)
    reply = await again.answered()

    assert (reply.status, reply.json["queued"]) == (202, True)
    later = await rig.post(session_id, said("go"), key="k")
    assert later.json() == reply.json
    await posted(rig, runner, session_id, "go")
    assert len(await rig.held()) == 1


async def test_the_key_of_a_held_message_is_for_no_other_one(rig: Policed, runner: ToolRunner) -> None:
    session_id = await asking(rig, runner)
    waiting = await rig.parked(session_id, "go", key="k")

    assert_error(await rig.post(session_id, said("stop"), key="k"), 422, "idempotency_mismatch")

    await rig.settle(session_id)
    assert (await waiting).json()["queued"] is True


async def test_the_verdict_acts_on_a_message_for_which_nobody_waits(rig: Policed, runner: ToolRunner) -> None:
    session_id = await asking(rig, runner)
    line = Line(rig.door, path(session_id), said("go"))
    await rig.question(session_id)
    await line.hang_up()

    await rig.settle(session_id)

    await eventually(lambda: rig.items(session_id), "the message is posted")
    await posted(rig, runner, session_id, "go")


@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_the_verdict_acts_on_a_message_after_a_restart_of_the_server(
    rig: Policed, runner: ToolRunner, action: str
) -> None:
    session_id = await asking(rig, runner)
    line = Line(rig.door, path(session_id), said("go"), **{"idempotency-key": "k"})
    await rig.question(session_id)
    await line.hang_up()
    await rig.door.restart()
    await runner.connect()
    await rig.known(runner)

    await rig.settle(session_id, action)

    await eventually(lambda: rig.items(session_id), "something is said")
    if action == "accept":
        await posted(rig, runner, session_id, "go")
    else:
        assert [role for role, _ in await texts(rig, session_id)] == ["assistant"]
        assert runner.posted == []
    answer = await rig.post(session_id, said("go"), key="k")
    assert answer.json()["queued"] is (action == "accept")
    assert len(await rig.items(session_id)) == 1


async def test_a_later_policy_still_judges_an_accepted_message(rig: Policed, runner: ToolRunner) -> None:
    await rig.everywhere("wide", answer=deny("not today"), phases=["request"])
    session_id = await asking(rig, runner)
    waiting = await rig.parked(session_id, "go")

    await rig.settle(session_id)

    assert (await waiting).json() == {"queued": False, "denied": True, "reason": "not today"}
    assert await texts(rig, session_id) == [("assistant", SENTINEL)]


async def test_nobody_is_asked_about_a_message_that_no_runner_could_take(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "care", answer=ask("sure?"))

    answer = await rig.post(session_id, said("go"))

    assert answer.status_code == 503
    assert await rig.pending(session_id) == []
    assert await rig.items(session_id) == []


async def test_two_messages_of_the_same_words_are_asked_about_one_by_one(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await asking(rig, runner)
    first = await rig.parked(session_id, "go")
    second = rig.waits(rig.post(session_id, said("go")))

    async def are_two() -> bool:
        return len(await rig.pending(session_id)) == 2

    await eventually(are_two, "two questions")
    one, two = [row["elicitation_id"] for row in await rig.pending(session_id)]
    await rig.answer(session_id, one)
    await rig.answer(session_id, two, "decline")

    answers = [(await waiting).json()["queued"] for waiting in (first, second)]
    assert sorted(answers) == [False, True]


@pytest.mark.parametrize("words", ["/deploy x", "/Deploy"])
async def test_a_slash_command_is_a_request_with_its_text(
    rig: Policed, runner: ToolRunner, words: str
) -> None:
    runner.skills = {"deploy": "Deploy.", "review": "Review."}
    session_id = await rig.bound(runner)
    blocked = "omnigent.policies.builtins.safety.block_skills"
    await rig.attach(session_id, "skills", blocked, blocked=["deploy"])

    def command(name: str) -> dict[str, Any]:
        return {"type": "slash_command", "data": {"kind": "skill", "name": name, "arguments": "x"}}

    typed = await rig.post(session_id, said(words))
    called = await rig.post(session_id, command("deploy"))
    other = await rig.post(session_id, command("review"))

    assert (typed.json()["denied"], called.json()["denied"]) == (True, True)
    assert "deploy" in called.json()["reason"].lower()
    assert other.json()["queued"] is True
    await rig.delivered(session_id)
    assert len(runner.messages) == 1


async def test_an_accepted_slash_command_is_run_once(rig: Policed, runner: ToolRunner) -> None:
    runner.skills = {"review": "Review."}
    session_id = await asking(rig, runner)
    data = {"kind": "skill", "name": "review", "arguments": "x"}
    waiting = rig.waits(rig.post(session_id, {"type": "slash_command", "data": data}, key="k"))
    assert (await rig.question(session_id))["params"]["content_preview"] == "/review x"

    await rig.settle(session_id)

    assert (await waiting).json()["queued"] is True
    again = await rig.post(session_id, {"type": "slash_command", "data": data}, key="k")
    assert again.json() == (await waiting).json()
    await rig.delivered(session_id)
    assert len(runner.messages) == 1


async def test_policies_see_the_text_of_what_is_attached(rig: Policed, runner: ToolRunner) -> None:
    session_id = await denying(rig, runner, word="4111 1111")
    url = f"/v1/sessions/{session_id}/resources/files"
    uploads = []
    for content in (b"card 4111 1111", b"nothing"):
        answer = await rig.http.post(url, files={"file": ("a.txt", content, "text/plain")})
        assert answer.status_code in (200, 201), answer.text
        uploads.append(answer.json()["id"])

    def with_file(file_id: str) -> dict[str, Any]:
        content = [{"type": "input_text", "text": "look"}, {"type": "input_file", "file_id": file_id}]
        return {"type": "message", "data": {"role": "user", "content": content}}

    denied, taken = [await rig.post(session_id, with_file(one)) for one in uploads]

    assert denied.json().get("denied") is True
    assert taken.json()["queued"] is True


async def test_every_message_of_a_batch_is_judged(rig: Policed, runner: ToolRunner) -> None:
    session_id = await denying(rig, runner)

    answer = await rig.post(session_id, [said("one"), said("deploy"), said("three")])

    assert answer.status_code == 202
    assert [one.get("denied", False) for one in answer.json()] == [False, True, False]
    said_now = [text for _, text in await texts(rig, session_id)]
    assert said_now == ["one", SENTINEL, "three"]


async def test_a_role_that_is_none_does_not_get_around_the_policies(rig: Policed, runner: ToolRunner) -> None:
    session_id = await denying(rig, runner)

    for role in ("User", "system", "developer", "tool", None):
        body = said("deploy it", role=role)
        answer = await rig.post(session_id, body)
        assert answer.status_code >= 400 or answer.json().get("denied") is True, (role, answer.text)

    await rig.delivered(session_id)
    assert runner.posted == []


def post_form(session_id: str, **fields: str) -> int:
    """Send the form of the session's page."""
    form = Client(headers={"host": "127.0.0.1:6767"})
    return int(form.post(f"/c/{session_id}/messages", fields).status_code)


async def test_the_page_does_not_wait_and_its_message_is_judged_all_the_same(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await denying(rig, runner)

    forms = [("deploy it", "k1"), ("test it", "k2")]
    statuses = [await rig.run(post_form, session_id, text=text, key=key) for text, key in forms]

    assert statuses == [302, 302]

    async def are_both_there() -> bool:
        return len(await rig.items(session_id)) == 2

    await eventually(are_both_there, "both are judged")
    assert sorted(await texts(rig, session_id)) == [("assistant", SENTINEL), ("user", "test it")]


async def test_the_page_sent_twice_asks_once_and_an_accepted_form_is_posted_once(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await asking(rig, runner)
    for _ in range(2):
        await rig.run(post_form, session_id, text="go", key="k")

    await rig.settle(session_id)

    await eventually(lambda: rig.items(session_id), "it is posted")
    await posted(rig, runner, session_id, "go")
    assert await rig.run(lambda: HeldAction.objects.count()) == 1


async def test_a_session_deleted_while_a_message_waits_ends_the_wait(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await asking(rig, runner)
    waiting = await rig.parked(session_id, "go")

    assert (await rig.http.delete(f"/v1/sessions/{session_id}")).status_code == 200

    assert_error(await asyncio.wait_for(waiting, 30), 404, "not_found")
    assert not await rig.run(Session.objects.filter(public_id=session_id).exists)


@pytest.mark.parametrize(("words", "is_let_through"), [("deploy it", False), ("read it", True)])
async def test_a_message_that_waited_for_a_runner_is_judged_when_there_is_one(
    rig: Policed, runner: ToolRunner, words: str, is_let_through: bool
) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "gate", answer=deny("not today"), phases=["request"], word="deploy")
    item = {"item_type": "message", "item_data": said(words)["data"]}
    await rig.post(session_id, {"type": "external_conversation_item", "data": item})
    await rig.known(runner)

    bound = await rig.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": runner.runner_id})

    assert bound.status_code == 200, bound.text
    if is_let_through:
        await until(lambda: bool(runner.taken), "the runner has it")
        await posted(rig, runner, session_id, words)
        return

    async def is_told() -> bool:
        return await texts(rig, session_id) == [("user", words), ("assistant", SENTINEL)]

    await eventually(is_told, "the conversation says so")
    assert runner.posted == []


async def test_a_parent_is_told_of_a_task_that_is_denied_while_its_sub_agent_works(
    rig: Policed, runner: ToolRunner
) -> None:
    top = await rig.bound(runner)

    def below() -> str:
        parent = Session.objects.get(public_id=top)
        return make_child(parent, "helper:one", runner_id=runner.runner_id).public_id

    child = await rig.run(below)
    first = await rig.post(child, said("the first", dispatch=True))
    assert first.json()["queued"] is True
    await rig.attach(child, "care", answer=ask("sure?"), phases=["request"])
    waiting = rig.waits(rig.post(child, said("the second", dispatch=True)))

    await rig.settle(child, "decline")

    assert (await waiting).json()["denied"] is True
    items = await rig.items(top)
    [told] = [one for one in items if one.get("event_type") == "session.subagent.returned"]
    assert told["resource"]["status"] == "failed"
    assert told["resource"]["result"].startswith("Denied by policy: care: sure?")
    [wake] = [one for one in items if one.get("subagent_return_id")]
    assert wake["subagent_return_id"] == told["id"]
    assert await rig.status(child) == "running"
    assert (await rig.row(child)).dispatch_position is not None
