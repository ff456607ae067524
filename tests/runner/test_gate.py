"""Tool calls through the server's gate: approvals, refusals, and servers that come and go."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.api import Patience
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import Rig, running, settled
from tests.runner.stream import Stream

Json = dict[str, Any]
ASK = {
    "result": {
        "resultType": "input_required",
        "inputRequests": {"elicit_1": {"method": "elicitation/create", "params": {"message": "may I?"}}},
        "requestState": "state-1",
    }
}


class Asking:
    """A gate that asks a person first and remembers what it was sent."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.bodies: list[Json] = []

    async def __call__(self, body: Json) -> Json:
        self.bodies.append(body)
        answers = body["params"].get("inputResponses")
        if answers is None:
            return ASK
        if answers["elicit_1"]["action"] == "accept":
            return await self.server.allow(body)
        return {"error": {"code": -32000, "message": "Denied by policy: nobody said yes"}}


def approval(action: str, **extra: str) -> Json:
    return {"type": "approval", "data": {"elicitation_id": "elicit_1", "action": action}, **extra}


def evaluations(server: FakeServer) -> list[Json]:
    return [body for _, path, body in server.calls if path.endswith("/evaluate")]


async def asked(rig: Rig, gate: Asking, stream: Stream) -> None:
    await rig.server.say("Run the shell command: echo hi")
    await until(lambda: len(gate.bodies) >= 1 and bool(stream.events))


async def test_an_accepted_call_is_sent_again_with_the_same_operation(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Asking(server)
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await asked(rig, gate, stream)
        assert stream.types()[-1] == "function_call in_progress"
        await server.post(approval("accept"))
        await until(lambda: settled(stream))

    first, second = gate.bodies
    assert (first["id"], second["id"]) == (1, 2)
    assert second["params"]["requestState"] == "state-1"
    operation = "_omnigent_operation_id"
    assert first["params"][operation] == second["params"][operation]
    assert stream.outputs() == ["hi\n"]
    assert stream.of_type("response.elicitation_resolved")[0]["action"] is None


async def test_a_declined_call_cancels_the_turn_and_stores_nothing(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Asking(server)
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await asked(rig, gate, stream)
        await server.post(approval("decline"))
        await until(lambda: settled(stream))

    assert stream.types() == [
        "status running",
        "in_progress",
        "function_call in_progress",
        "elicitation_resolved",
        "cancelled",
        "status idle",
    ]
    assert server.posted == []


async def test_a_cancelled_approval_refuses_the_call_and_the_turn_goes_on(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Asking(server)
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await asked(rig, gate, stream)
        await server.post(approval("cancel"))
        await until(lambda: settled(stream))

    assert stream.outputs() == ["Denied by policy: nobody said yes"]
    assert stream.types()[-2:] == ["completed", "status idle"]


async def test_a_verdict_that_comes_before_the_call_is_parked_counts(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Asking(server)
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await server.post(approval("accept"))
        await asked(rig, gate, stream)
        await until(lambda: settled(stream))

    assert stream.outputs() == ["hi\n"]


async def test_the_first_verdict_wins_and_a_repeat_is_told(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = gate = Asking(server)
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await asked(rig, gate, stream)
        await server.post(approval("accept", delivery_id="d1"))
        _, repeat = await server.post(approval("decline", delivery_id="d1"))
        await until(lambda: settled(stream))

    assert repeat == {"status": "duplicate"}
    assert stream.outputs() == ["hi\n"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"elicitation_id": "e"},
        {"elicitation_id": 1, "action": "accept"},
        {"elicitation_id": "e", "action": "maybe"},
    ],
)
async def test_a_malformed_approval_is_refused(tmp_path: Path, data: Json) -> None:
    async with running(tmp_path) as rig:
        status, answer = await rig.server.post({"type": "approval", "data": data})

    assert (status, answer["error"]) == (400, "invalid_input")


async def test_a_denied_call_tells_the_model_why(tmp_path: Path) -> None:
    server = FakeServer()

    async def deny(body: Json) -> Json:
        return {"error": {"code": -32000, "message": "Denied by policy: no shells"}}

    server.gate = deny
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Run the shell command: echo hi", stream)

    assert stream.outputs() == ["Denied by policy: no shells"]


async def test_a_lost_tunnel_is_waited_for_and_the_tool_runs_once(tmp_path: Path) -> None:
    command = "echo run >> runs; sleep 0.3; cat runs"
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say(f"Run the shell command: {command}")
        await until(lambda: (tmp_path / "runs").exists())
        await (await rig.server.tunnel()).close(1012)
        assert stream.reader is not None
        await stream.reader
        rig.server.subscribe(into=stream, last=stream.ids[-1])
        await until(lambda: settled(stream))

    sent = [body for _, path, body in rig.server.calls if path.endswith("/mcp")]
    assert len(sent) >= 2
    assert len({body["params"]["_omnigent_operation_id"] for body in sent}) == 1
    assert stream.outputs() == ["run\n"]


async def test_a_restart_of_the_server_in_the_middle_of_a_turn_is_survived(tmp_path: Path) -> None:
    server = FakeServer()
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await server.say("Count to 20 slowly\nRun the shell command: echo survived\nCount to 3")
        await until(lambda: "4 " in stream.text())
        server.statuses |= {"mcp": 503, "evaluate": 503}
        asked = len(evaluations(server))
        await (await server.tunnel()).close(1012)
        assert stream.reader is not None
        await stream.reader
        server.subscribe(into=stream, last=stream.ids[-1])
        await until(lambda: len(evaluations(server)) > asked)
        del server.statuses["evaluate"]
        await until(lambda: any(path.endswith("/mcp") for _, path, _ in rig.server.calls))
        server.statuses.clear()
        await until(lambda: settled(stream))

    assert stream.outputs() == ["survived\n"]
    assert stream.text().endswith("1 2 3 \n")


async def test_a_server_that_does_not_come_back_is_an_answer_for_the_model(tmp_path: Path) -> None:
    server = FakeServer()
    server.statuses["mcp"] = 500
    async with running(tmp_path, server=server, patience=Patience(seconds=0.1, start=0.02)) as rig:
        stream = server.subscribe()
        await rig.turn("Run the shell command: echo hi", stream)

    assert stream.outputs()[0].startswith("Error: the tool gate refused: HTTP 500")


async def test_a_harness_that_asks_first_runs_the_command_only_when_accepted(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Ask me before running: echo careful > done")
        await until(lambda: "elicitation_request" in stream.types())
        request = stream.of_type("response.elicitation_request")[0]
        assert not (tmp_path / "done").exists()
        assert request["params"]["content_preview"] == "echo careful > done"
        assert request["params"]["url"] == f"/approve/conv_1/{request['elicitation_id']}"
        data = {"elicitation_id": request["elicitation_id"], "action": "accept"}
        await rig.server.post({"type": "approval", "data": data})
        await until(lambda: settled(stream))

    assert (tmp_path / "done").read_text() == "careful\n"


async def test_a_harness_that_asks_first_ends_as_cancelled_when_declined(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Ask me before running: touch done")
        await until(lambda: "elicitation_request" in stream.types())
        elicitation_id = stream.of_type("response.elicitation_request")[0]["elicitation_id"]
        await rig.server.post({"type": "approval", "elicitation_id": elicitation_id, "action": "decline"})
        await until(lambda: settled(stream))
        await rig.turn("Count to 2", stream)

    assert not (tmp_path / "done").exists()
    assert "cancelled" in stream.types()
    assert stream.text() == "1 2 \n"


async def test_a_call_cancelled_before_the_server_passes_it_on_does_not_start(tmp_path: Path) -> None:
    server = FakeServer()
    begun, go_on = asyncio.Event(), asyncio.Event()
    late: list[Json] = []

    async def slow(body: Json) -> Json:
        begun.set()
        await go_on.wait()
        late.append(await server.allow(body))
        return late[0]

    server.gate = slow
    async with running(tmp_path, server=server):
        stream = server.subscribe()
        await server.say("Run the shell command: touch done")
        await begun.wait()
        await server.post({"type": "interrupt"})
        await until(lambda: settled(stream))
        go_on.set()
        await until(lambda: bool(late))

    assert late[0]["error"]["code"] == -32800
    assert not (tmp_path / "done").exists()
