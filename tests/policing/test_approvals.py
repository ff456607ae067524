"""Approvals: who may give them, how many it takes, what a person is shown, and who wins."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pytest_django import Settings

from omnigent.ids import runner_id_for
from sessions_app.models import Session
from tests.error_shape import assert_error
from tests.factories import make_child, make_runner
from tests.inputs.waiting import eventually
from tests.policing.people import granted, person
from tests.policing.policed import ALLOW, ASK, DENY, Policed, a_call, ask

CALL = a_call(command="ls")
TOKEN = "the token of the session's runner"
Headers = Mapping[str, str]


async def asked(rig: Policed, session_id: str, **more: Any) -> tuple[str, "asyncio.Task[Any]"]:
    """An evaluation that waits: (question, the call)."""
    await rig.attach(session_id, "care", answer=ask("sure?"), more=more)
    waiting = rig.waits(rig.verdict(session_id, CALL))
    return str((await rig.question(session_id))["elicitation_id"]), waiting


class Cast:
    """A session of `owner` with people of every level, and a question that waits in it."""

    def __init__(self, rig: Policed, settings: Settings) -> None:
        self.rig = rig
        self.settings = settings
        self.headers: dict[str, Headers] = {}

    async def enter(self, **more: Any) -> None:
        """Begin: the question is asked while there is one user only, then there are many."""
        make = lambda: make_runner(TOKEN, owner="owner", online=False)  # noqa: E731 - one row
        await self.rig.run(make)
        self.session_id = await self.rig.session(owner="owner", runner_id=runner_id_for(TOKEN))
        self.question, self.waiting = await asked(self.rig, self.session_id, **more)
        self.settings.OMNIGENT_AUTH_MODE = "accounts"
        levels = {"reader": 1, "editor": 2, "manager": 3}
        for name, level in levels.items():
            self.headers[name] = await granted(self.rig, self.session_id, name, level)
        self.headers["delegate"] = await granted(self.rig, self.session_id, "delegate", 1, may_approve=True)
        for name in ("owner", "stranger"):
            self.headers[name] = await person(self.rig, name)
        self.headers["runner"] = {**self.headers["owner"], "X-Omnigent-Runner-Tunnel-Token": TOKEN}

    async def says(self, name: str, action: str = "accept", road: str = "address") -> int:
        """Answer as this person; the status."""
        if road == "address":
            answer = await self.rig.answer(self.session_id, self.question, action, headers=self.headers[name])
        else:
            data = {"elicitation_id": self.question, "action": action}
            url = f"/v1/sessions/{self.session_id}/events"
            answer = await self.rig.http.post(
                url, json={"type": "approval", "data": data}, headers=self.headers[name]
            )
        return answer.status_code

    async def verdict(self) -> str:
        """What the call that waits is told."""
        return str((await asyncio.wait_for(self.waiting, 30))["result"])


@pytest.fixture
def cast(rig: Policed, settings: Settings) -> Cast:
    return Cast(rig, settings)


@pytest.mark.parametrize("road", ["address", "in-band"])
async def test_the_owner_and_delegates_may_answer_and_nobody_else(cast: Cast, road: str) -> None:
    await cast.enter()

    for name, status in {
        "stranger": 404,
        "reader": 403,
        "editor": 403,
        "manager": 403,
        "runner": 403,
    }.items():
        assert await cast.says(name, road=road) == status, name
    assert not cast.waiting.done()

    assert await cast.says("owner", road=road) == 202
    assert await cast.verdict() == ALLOW


async def test_a_delegate_of_the_owner_may_answer(cast: Cast) -> None:
    await cast.enter()

    assert await cast.says("delegate", "decline") == 202
    assert await cast.verdict() == DENY


async def test_the_operator_may_let_everybody_answer_who_may_edit(cast: Cast) -> None:
    cast.settings.OMNIGENT_APPROVERS = "edit"
    await cast.enter()

    for name in ("reader", "runner"):
        assert await cast.says(name) == 403, name

    assert await cast.says("editor") == 202
    assert await cast.verdict() == ALLOW


async def test_a_policy_may_name_its_approvers(cast: Cast) -> None:
    await cast.enter(approvers=["reader"])

    for name in ("owner", "manager", "delegate", "runner"):
        assert await cast.says(name) == 403, name
    assert await cast.says("stranger") == 404

    assert await cast.says("reader") == 202
    assert await cast.verdict() == ALLOW


async def test_two_of_the_approvers_have_to_agree(cast: Cast) -> None:
    await cast.enter(approvers=["reader", "editor", "manager"], quorum=2)

    for _ in range(2):
        assert await cast.says("reader") == 202
    assert not cast.waiting.done()
    assert len(await cast.rig.run(open_questions, cast.session_id)) == 1

    assert await cast.says("editor") == 202
    assert await cast.verdict() == ALLOW


async def test_one_of_the_approvers_is_enough_to_refuse(cast: Cast) -> None:
    await cast.enter(approvers=["reader", "editor"], quorum=2)
    await cast.says("reader")

    assert await cast.says("editor", "decline") == 202

    assert await cast.verdict() == DENY


async def test_a_runner_may_not_answer_where_there_is_one_user_only(rig: Policed) -> None:
    session_id = await rig.session(runner_id=runner_id_for(TOKEN))
    question, waiting = await asked(rig, session_id)
    runner = {"X-Omnigent-Runner-Tunnel-Token": TOKEN}
    data = {"elicitation_id": question, "action": "accept"}

    by_address = await rig.answer(session_id, question, headers=runner)
    in_band = await rig.post(session_id, {"type": "approval", "data": data}, token=TOKEN)

    assert_error(by_address, 403, "forbidden")
    assert_error(in_band, 403, "forbidden")
    closing = {"type": "external_elicitation_resolved", "data": {"elicitation_id": question}}
    await rig.post(session_id, closing, token=TOKEN)
    assert not waiting.done()
    assert [one["elicitation_id"] for one in await rig.pending(session_id)] == [question]
    await rig.settle(session_id)
    assert (await waiting)["result"] == ALLOW


def open_questions(session_id: str) -> list[str]:
    rows = Session.objects.get(public_id=session_id).elicitations.filter(status="pending")
    return list(rows.values_list("public_id", flat=True))


async def test_a_reader_is_told_the_verdict_and_nothing_comes_of_it(rig: Policed, settings: Settings) -> None:
    session_id = await rig.session(owner="owner")
    updates = {"state_updates": {"seen": 1}, "set_labels": {"a": "b"}}
    await rig.attach(session_id, "notes", answer={"result": "allow", **updates})
    await rig.attach(session_id, "care", answer=ask("sure?", **updates), word="ask")
    settings.OMNIGENT_AUTH_MODE = "accounts"
    reader = await granted(rig, session_id, "reader", 1)
    stranger = await person(rig, "stranger")

    said = await rig.verdict(session_id, a_call(command="ask"), headers=reader)
    let = await rig.verdict(session_id, a_call(command="ls"), headers=reader)

    assert said == {"result": ASK, "reason": "care: sure?"}
    assert let == {"result": ALLOW}
    assert (await rig.remembered(session_id), await rig.labels(session_id)) == ({}, {})
    assert (await rig.decisions(), await rig.held(), await rig.log(session_id)) == ([], [], [])
    assert_error(await rig.evaluate(session_id, CALL, headers=stranger), 404, "not_found")
    nobody = await rig.evaluate(session_id, CALL)
    assert nobody.status_code == 401


async def test_approve_and_decline_at_once_have_one_winner_and_both_learn_it(rig: Policed) -> None:
    session_id = await rig.session()
    question, waiting = await asked(rig, session_id)
    decline = {"type": "approval", "data": {"elicitation_id": question, "action": "decline"}}

    answers = await asyncio.gather(
        rig.answer(session_id, question), rig.post(session_id, decline), rig.answer(session_id, question)
    )

    assert [answer.status_code for answer in answers] == [202] * 3
    told = [answer.json().get("resolution") for answer in answers]
    won = ("accept", "decline", "accept")[told.index(None)]
    assert [one["action"] for one in told if one is not None] == [won] * 2
    assert all(one["resolved_by"] == "local" and one["resolved_at"] for one in told if one is not None)
    assert (await waiting)["result"] == (ALLOW if won == "accept" else DENY)
    resolved = [event for kind, event in await rig.log(session_id) if kind == "response.elicitation_resolved"]
    assert [event["action"] for event in resolved] == [won]


async def test_an_answer_that_comes_too_late_is_told_so(rig: Policed) -> None:
    session_id = await rig.session()
    question, waiting = await asked(rig, session_id, ask_timeout=0.3)

    assert (await waiting)["result"] == DENY
    late = await rig.answer(session_id, question)

    assert late.json()["resolution"]["action"] == "cancel"
    assert late.json()["resolution"]["resolved_by"] is None
    again = rig.waits(rig.verdict(session_id, CALL))
    assert (await rig.question(session_id))["elicitation_id"] != question
    assert (await again)["result"] == DENY


async def test_a_question_expires_although_nobody_waits_for_it_and_the_server_was_away(rig: Policed) -> None:
    session_id = await rig.session()
    question, waiting = await asked(rig, session_id, ask_timeout=1.0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await rig.door.restart()

    async def is_closed() -> bool:
        return await rig.pending(session_id) == []

    await eventually(is_closed, "the question is closed")
    assert (await rig.answer(session_id, question)).json()["resolution"]["action"] == "cancel"


async def test_what_a_person_reads_has_no_hidden_characters(rig: Policed) -> None:
    session_id = await rig.session()
    sly = "rm\u202e-r \u2066/\u2069 \x1b[31m\u200b\u2028x"
    await rig.attach(session_id, "care", answer=ask(f"sure? {sly}"))
    waiting = rig.waits(rig.verdict(session_id, a_call("Ba\u202esh", command=sly)))

    question = await rig.question(session_id)

    shown = question["params"]["message"] + question["params"]["content_preview"]
    assert not set(shown) & set("\u202e\u2066\u2069\x1b\u200b\u2028")
    assert "\\u202e-r " in question["params"]["content_preview"]
    await rig.settle(session_id, "decline")
    assert not set((await waiting)["reason"]) & set("\u202e\u2066\x1b")


async def test_what_a_person_reads_has_an_end(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "care", answer=ask("y" * 50_000))
    waiting = rig.waits(rig.verdict(session_id, a_call(command="x" * 50_000)))

    params = (await rig.question(session_id))["params"]

    assert len(params["content_preview"]) <= 1024
    assert len(params["message"]) <= 2048
    await rig.settle(session_id)
    assert (await waiting)["result"] == ALLOW


@pytest.mark.parametrize(
    "other",
    [
        a_call("Bash", command="ls "),
        a_call("bash", command="ls"),
        a_call("Bash", command="ls", cwd="/"),
        {"type": "PHASE_REQUEST", "data": {"user_content": "ls"}},
    ],
)
async def test_an_approval_is_of_the_exact_action(rig: Policed, other: dict[str, Any]) -> None:
    session_id = await rig.session()
    question, waiting = await asked(rig, session_id)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await rig.answer(session_id, question)

    again = rig.waits(rig.verdict(session_id, other))

    assert (await rig.question(session_id))["elicitation_id"] != question
    await rig.settle(session_id, "decline")
    assert (await again)["result"] == DENY
    assert (await rig.verdict(session_id, CALL))["result"] == ALLOW


async def test_a_sub_agents_question_is_shown_and_answered_above(rig: Policed) -> None:
    root_id = await rig.session()
    child_id = await rig.run(lambda: make_child(Session.objects.get(public_id=root_id), "a:b").public_id)
    question, waiting = await asked(rig, child_id)

    [above] = await rig.pending(root_id)
    assert above["elicitation_id"] == question
    assert above["params"]["target_session_id"] == child_id
    await rig.settle(root_id)

    assert (await waiting)["result"] == ALLOW
    assert (await rig.pending(root_id), await rig.pending(child_id)) == ([], [])
    for session_id in (root_id, child_id):
        kinds = [kind for kind in await rig.log_types(session_id) if "elicitation" in kind]
        assert kinds == ["response.elicitation_request", "response.elicitation_resolved"]


async def test_the_log_names_who_has_agreed(rig: Policed) -> None:
    session_id = await rig.session()
    question, waiting = await asked(rig, session_id)
    await rig.settle(session_id)
    await waiting

    first, second = await rig.decisions()

    assert (first.verdict, first.policy_name, first.level) == ("ask", "care", "session")
    assert (second.verdict, second.actor, second.elicitation_id) == ("allow", "local", question)
    assert first.input_digest == second.input_digest
    assert {first.session_id, second.session_id} == {session_id}
