"""A runner in this process whose agent runs on a vendor's harness, and a vendor that does as told."""

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.harnesses.rows import HARNESSES
from tests.model_server import ModelServer, Text
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import Rig, running, settled
from tests.runner.stream import Stream

SILENCE_SECONDS = "1"
DEADLINE = 90.0


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


def skip_unless_installed(vendor: Vendor) -> None:
    """Skip the test when the vendor's package or program is not here."""
    lack = HARNESSES[vendor.harness].lack({**os.environ, HARNESSES[vendor.harness].key_name: "key"})
    if lack is not None:
        pytest.skip(lack.advice)


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
    vendor: Vendor, workspace: Path, silence_seconds: str = SILENCE_SECONDS, **executor: Any
) -> AsyncIterator[Scene]:
    """`executor` are further keys of the agent's block of that name."""
    server = FakeServer()
    block = json.dumps({"harness": vendor.harness, **executor})
    server.agent = (
        f"name: helper\nprompt: You help.\nexecutor: {block}\n"
        "os_env: {type: caller_process, sandbox: {type: none}}\n"
    )
    async with ModelServer() as provider:
        row = HARNESSES[vendor.harness]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(workspace),
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
