"""Approvals that come twice, late or elsewhere, gates that ask again, and gates that talk nonsense."""

from pathlib import Path
from typing import Any

import pytest

from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled

Json = dict[str, Any]
OPERATION = "_omnigent_operation_id"


def question(elicitation_id: str) -> Json:
    asked = {"method": "elicitation/create", "params": {"message": "may I?"}}
    return {
        "result": {
            "resultType": "input_required",
            "inputRequests": {elicitation_id: asked},
            "requestState": f"state of {elicitation_id}",
        }
    }


class Rounds:
    """A gate that asks each of these questions in turn and then has the tool executed."""

    def __init__(self, server: FakeServer, *elicitation_ids: str, session_id: str = "conv_1") -> None:
        self.server = server
        self.ids = list(elicitation_ids)
        self.session_id = session_id
        self.bodies: list[Json] = []

    async def __call__(self, body: Json) -> Json:
        self.bodies.append(body)
        answered = len(self.bodies) - 1
        if answered < len(self.ids):
            return question(self.ids[answered])
        return await self.server.allow(body, self.session_id)


def approval(elicitation_id: str, action: str = "accept") -> Json:
    return {"type": "approval", "data": {"elicitation_id": elicitation_id, "action": action}}


async def test_a_later_policy_asks_again_and_the_operation_stays_the_same(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Rounds(server, "elicit_1", "elicit_2")
    async with running(tmp_path, server=server):
        stream = server.subscribe()
        await server.say("Run the shell command: echo hi >> runs; cat runs")
        await until(lambda: len(gate.bodies) == 1)
        await server.post(approval("elicit_1"))
        await until(lambda: len(gate.bodies) == 2)
        assert not (tmp_path / "runs").exists()
        await server.post(approval("elicit_2"))
        await until(lambda: settled(stream))

    assert stream.outputs() == ["hi\n"]
    assert [body["id"] for body in gate.bodies] == [1, 2, 3]
    assert len({body["params"][OPERATION] for body in gate.bodies}) == 1
    states = [body["params"].get("requestState") for body in gate.bodies]
    assert states == [None, "state of elicit_1", "state of elicit_2"]
    answers = [body["params"].get("inputResponses") for body in gate.bodies]
    assert answers[1:] == [{f"elicit_{n}": {"action": "accept", "content": {}}} for n in (1, 2)]


async def test_a_second_question_that_is_declined_ends_the_turn(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Rounds(server, "elicit_1", "elicit_2")
    async with running(tmp_path, server=server):
        stream = server.subscribe()
        await server.say("Run the shell command: touch done")
        await server.post(approval("elicit_1"))
        await until(lambda: len(gate.bodies) == 2)
        await server.post(approval("elicit_2", "decline"))
        await until(lambda: settled(stream))

    assert not (tmp_path / "done").exists()
    assert stream.types()[-2:] == ["cancelled", "status idle"]


async def test_an_approval_that_comes_twice_does_not_answer_the_next_question(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Rounds(server, "elicit_1", "elicit_2")
    async with running(tmp_path, server=server):
        stream = server.subscribe()
        await server.say("Run the shell command: echo hi")
        await until(lambda: len(gate.bodies) == 1)
        await server.post(approval("elicit_1"))
        await server.post(approval("elicit_1"))
        await until(lambda: len(gate.bodies) == 2)
        await server.post(approval("elicit_1"))
        await server.post(approval("elicit_2", "cancel"))
        await until(lambda: settled(stream))

    assert gate.bodies[-1]["params"]["inputResponses"] == {"elicit_2": {"action": "cancel", "content": {}}}
    assert len(gate.bodies) == 3


async def test_a_parked_call_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Rounds(server, "elicit_1")
    async with running(tmp_path, server=server):
        stream = server.subscribe()
        await server.say("Run the shell command: echo hi >> runs; cat runs")
        await until(lambda: len(gate.bodies) == 1 and "function_call in_progress" in stream.types())
        await (await server.tunnel()).close(1012)
        assert stream.reader is not None
        await stream.reader
        server.subscribe(into=stream, last=stream.ids[-1])
        assert not settled(stream)
        await server.post(approval("elicit_1"))
        await until(lambda: settled(stream))

    assert stream.outputs() == ["hi\n"]
    assert len({body["params"][OPERATION] for body in gate.bodies}) == 1


async def test_an_approval_in_one_session_is_not_one_in_another(tmp_path: Path) -> None:
    """A sub-agent's calls wait for their own session's approvals."""
    server = FakeServer()
    server.gate = gate = Rounds(server, "elicit_1", session_id="conv_child")
    async with running(tmp_path, server=server):
        stream = server.subscribe("conv_child")
        content = [{"type": "input_text", "text": "Run the shell command: echo hi"}]
        await server.post({"type": "message", "role": "user", "content": content}, "conv_child")
        await until(lambda: len(gate.bodies) == 1)
        await server.post(approval("elicit_1", "decline"), "conv_parent")
        await server.post(approval("elicit_1"), "conv_child")
        await until(lambda: settled(stream))

    assert stream.outputs() == ["hi\n"]


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"resultType": "later"}, id="unknown type"),
        pytest.param({"resultType": ["complete"]}, id="type that is no text"),
        pytest.param({"resultType": "input_required"}, id="no questions"),
        pytest.param({"resultType": "input_required", "inputRequests": {}}, id="empty questions"),
        pytest.param({"resultType": "input_required", "inputRequests": ["e"]}, id="questions in a list"),
        pytest.param({"resultType": "complete"}, id="no content"),
        pytest.param({}, id="nothing"),
        pytest.param("done", id="no object"),
    ],
)
async def test_a_result_that_cannot_be_read_is_an_error_for_the_model(tmp_path: Path, result: object) -> None:
    server = FakeServer()
    bodies: list[Json] = []

    async def babble(body: Json) -> Json:
        bodies.append(body)
        return {"result": result}

    server.gate = babble
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Run the shell command: touch done", stream)

    assert [output.startswith("Error: the server sent") for output in stream.outputs()] == [True]
    assert len(bodies) == 1
    assert not (tmp_path / "done").exists()


async def test_a_denied_call_is_named_and_the_rest_of_the_request_goes_on(tmp_path: Path) -> None:
    server = FakeServer()

    async def deny(body: Json) -> Json:
        return {"error": {"code": -32000, "message": "Denied by policy: no shells today"}}

    server.gate = deny
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Run the shell command: touch done\nCount to 2", stream)

    assert "sys_os_shell did not run. Denied by policy: no shells today\n" in stream.text()
    assert stream.text().endswith("1 2 \n")
    assert stream.types()[-2:] == ["completed", "status idle"]
