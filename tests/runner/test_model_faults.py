"""Providers that break: each turn ends in a stated way and keeps what was shown, and the next one works."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.harnesses.rows import HARNESSES
from tests.model_server import BreakInside, Call, Cut, End, Fail, Garbage, ModelServer, Silence, Step, Text
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import Rig, running, settled
from tests.runner.stream import Stream

SILENCE_SECONDS = "1"
DEADLINE = 30.0


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """How one vendor's stream goes wrong. `wrong_order` is an event that belongs to one which never came."""

    harness: str
    base_path: str
    broken_kind: str
    wrong_order: bytes


OPENAI_ORDER = b'data: {"type": "response.output_item.done", "output_index": 7}\n\n'
VENDORS = (
    Vendor(harness="openai-responses", base_path="/v1", broken_kind="server_error", wrong_order=OPENAI_ORDER),
    Vendor(
        harness="openai-chat",
        base_path="/v1",
        broken_kind="server_error",
        wrong_order=b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"id": "x"}]}}]}\n\n',
    ),
    Vendor(
        harness="anthropic",
        base_path="",
        broken_kind="overloaded_error",
        wrong_order=(
            b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 7, '
            b'"delta": {"type": "input_json_delta", "partial_json": "{}"}}\n\n'
        ),
    ),
    Vendor(harness="openai-agents", base_path="/v1", broken_kind="server_error", wrong_order=OPENAI_ORDER),
)


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.harness)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    package = HARNESSES[found.harness].package
    if package and find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return found


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A runner whose agent runs on the vendor's harness, and the vendor."""

    rig: Rig
    provider: ModelServer
    stream: Stream

    async def turn(self, text: str) -> Sequence[Mapping[str, Any]]:
        """The events of one turn."""
        before = len(self.stream.events)
        assert await self.rig.server.say(text) == "accepted"
        await until(lambda: settled(self.stream, before), DEADLINE)
        return self.stream.events[before:]

    async def still_works(self, *, knows: str = "") -> None:
        """Another turn, to which the provider answers; it is shown what was kept of the one before."""
        self.provider.script([Text("Working again.")])
        number = len(self.provider.requests) + 1

        events = await self.turn("Are you there?")

        assert text_of(events) == "Working again."
        assert [event["type"] for event in events][-2:] == ["response.completed", "session.status"]
        body = str((await self.provider.request(number)).body)
        assert knows in body
        assert "Are you there?" in body


@asynccontextmanager
async def scene(
    vendor: Vendor, workspace: Path, silence_seconds: str = SILENCE_SECONDS
) -> AsyncIterator[Scene]:
    server = FakeServer()
    server.agent = (
        f"name: helper\nprompt: You help.\nexecutor: {{harness: {vendor.harness}}}\n"
        "os_env: {type: caller_process, sandbox: {type: none}}\n"
    )
    async with ModelServer() as provider:
        row = HARNESSES[vendor.harness]
        environment = {
            "PATH": "/usr/bin:/bin",
            row.key_name: "key",
            row.base_url_name: provider.url + vendor.base_path,
            "OMNIGENT_MODEL_SILENCE_SECONDS": silence_seconds,
        }
        async with running(workspace, server=server, environment=environment) as rig:
            yield Scene(rig=rig, provider=provider, stream=rig.server.subscribe())


def text_of(events: Sequence[Mapping[str, Any]]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def error_of(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The error that a failed turn ends with; its status has the same one."""
    failed, status = events[-2:]
    assert (failed["type"], status["status"]) == ("response.failed", "failed")
    error: Mapping[str, Any] = failed["response"]["error"]
    assert status["error"] == error
    return error


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(Cut(), "stream_interrupted", id="cut"),
        pytest.param(End(), "stream_interrupted", id="no-last-event"),
        pytest.param(Garbage(), "malformed_stream", id="garbage"),
        pytest.param(Silence(), "stream_interrupted", id="silence"),
        pytest.param("wrong order", "malformed_stream", id="wrong-order"),
        pytest.param("error inside", "provider_unavailable", id="error-inside"),
    ],
)
async def test_a_stream_that_breaks_after_some_text(
    vendor: Vendor, tmp_path: Path, fault: Step | str, code: str
) -> None:
    steps = {"wrong order": Garbage(vendor.wrong_order), "error inside": BreakInside(vendor.broken_kind)}
    step = steps[fault] if isinstance(fault, str) else fault
    async with scene(vendor, tmp_path) as played:
        played.provider.script([Text("Half an answer"), step])

        events = await played.turn("Tell me")

        assert text_of(events) == "Half an answer"
        error = error_of(events)
        assert error["code"] == code
        assert error["message"]
        assert len(played.provider.requests) == 1
        await played.still_works(knows="Half an answer")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(Fail(429, "rate_limit_error", headers={"retry-after": "0"}), "rate_limited", id="429"),
        pytest.param(Fail(529, "overloaded_error"), "provider_unavailable", id="529"),
        pytest.param(Cut(), "stream_interrupted", id="cut"),
        pytest.param("error inside", "provider_unavailable", id="error-inside"),
    ],
)
async def test_a_fault_before_any_text_is_told_and_the_request_repeated(
    vendor: Vendor, tmp_path: Path, fault: Step | str, code: str
) -> None:
    step = BreakInside(vendor.broken_kind) if isinstance(fault, str) else fault
    async with scene(vendor, tmp_path) as played:
        played.provider.script([step], [Text("Second try.")])

        events = await played.turn("Tell me")

        assert text_of(events) == "Second try."
        [retry] = [event for event in events if event["type"] == "response.retry"]
        assert (retry["attempt"], retry["error"]["code"]) == (1, code)
        assert events[-2]["type"] == "response.completed"
        await played.still_works(knows="Second try.")


async def test_a_fault_after_a_tool_keeps_the_call_and_its_output(vendor: Vendor, tmp_path: Path) -> None:
    async with scene(vendor, tmp_path) as played:
        call = Call("sys_os_shell", {"command": "echo from-the-tool"}, "call_1")
        played.provider.script([Text("Looking. "), call], [Text("It says"), Cut()])

        events = await played.turn("Run it")

        assert text_of(events) == "Looking. It says"
        assert error_of(events)["code"] == "stream_interrupted"
        assert played.stream.outputs() == ["from-the-tool\n"]
        await played.still_works(knows="from-the-tool")


async def test_a_call_that_the_stream_cuts_is_not_made(vendor: Vendor, tmp_path: Path) -> None:
    async with scene(vendor, tmp_path) as played:
        call = Call("sys_os_shell", {"command": "touch proof"}, "call_1")
        played.provider.script([Text("Looking. "), call, Cut()])

        events = await played.turn("Run it")

        assert error_of(events)["code"] == "stream_interrupted"
        assert played.stream.outputs() == []
        assert not (tmp_path / "proof").exists()
        await played.still_works(knows="Looking.")


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "inf"])
async def test_a_time_limit_that_cannot_be_used_fails_the_turn_in_words(tmp_path: Path, seconds: str) -> None:
    async with scene(VENDORS[0], tmp_path, seconds) as played:
        error = error_of(await played.turn("Tell me"))

    assert error["code"] == "harness_not_configured"
    assert error["message"] == f"OMNIGENT_MODEL_SILENCE_SECONDS: {seconds!r} is not a number above 0."
