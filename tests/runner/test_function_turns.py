"""Functions that an agent brings, and tools that its client answers, in a turn."""

import json
import textwrap
from pathlib import Path
from typing import Any

from omnigent.spec.bundle import pack, spec_of
from tests.runner.caller import CALLER, call
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled
from tests.runner.stream import Stream

SECONDS = 30.0


def bundle(files: dict[str, str], **document: Any) -> bytes:
    content = {"spec_version": 1, "name": "helper", "prompt": "p", "os_env": {}, **document}
    content["executor"] = {"config": {"harness": "scripted"}}
    all_files = {"config.yaml": json.dumps(content)} | files
    packed = {path: textwrap.dedent(text).encode() for path, text in all_files.items()}
    spec_of(packed)
    return pack(packed)


async def outputs(
    tmp_path: Path, data: bytes, *messages: str, **snapshot: Any
) -> tuple[list[str], str, Stream]:
    """What the tools answered, what the model said, and the stream."""
    server = FakeServer()
    server.answers["contents"] = (200, data)  # type: ignore[assignment]  # bytes are sent as they are
    server.answers["conv_1"] = (200, {"id": "conv_1", "agent_id": "ag_1", "workspace": None, **snapshot})
    async with running(tmp_path, server=server, harnesses=CALLER) as rig:
        stream = rig.server.subscribe()
        for message in messages:
            before = len(stream.events)
            await rig.server.say(message)
            await until(lambda since=before: settled(stream, since), SECONDS)  # type: ignore[misc]  # bound here
    return stream.outputs(), stream.text(), stream


async def test_functions_are_offered_and_called_in_a_turn(tmp_path: Path) -> None:
    data = bundle(
        {"tools/python/mine.py": "def shout(text: str):\n    return text.upper()"},
        tools={"double": {"type": "function", "callable": "helpers.double"}},
    )
    with_helper = bundle(
        {
            "tools/python/mine.py": "def shout(text: str):\n    return text.upper()",
            "helpers.py": "def double(number: int):\n    return 2 * number",
        },
        tools={"double": {"type": "function", "callable": "helpers.double"}},
    )
    answers, _, _ = await outputs(tmp_path, with_helper, call("shout", text="hi"), call("double", number=4))
    _, said, stream = await outputs(tmp_path, data, "tools")

    assert answers == ["HI", "8"]
    assert json.loads(said)[-1] == "shout"
    [fault] = stream.of_type("response.error")
    assert fault["error"]["code"] == "function_unavailable"
    assert "'double' are not available: ModuleNotFoundError" in fault["error"]["message"]


async def test_a_built_in_tool_keeps_its_name(tmp_path: Path) -> None:
    data = bundle({"tools/python/mine.py": "def sys_os_shell(command: str):\n    return 'mine'"})
    answers, _, stream = await outputs(tmp_path, data, call("sys_os_shell", command="echo built in"))

    assert answers == ["built in\n"]
    [fault] = stream.of_type("response.error")
    assert "a built-in tool has this name" in fault["error"]["message"]


async def test_a_sub_agent_has_the_functions_of_its_own_directory(tmp_path: Path) -> None:
    child = {"spec_version": 1, "name": "child", "prompt": "p", "os_env": {}}
    child["executor"] = {"config": {"harness": "scripted"}}
    data = bundle(
        {
            "tools/python/mine.py": "def who():\n    return 'parent'",
            "agents/one/config.yaml": json.dumps(child),
            "agents/one/tools/python/mine.py": "def who():\n    return 'child'",
        }
    )
    answers, _, _ = await outputs(tmp_path, data, call("who"), sub_agent_name="child")

    assert answers == ["child"]


async def test_a_client_tool_of_the_agent_waits_for_the_client(tmp_path: Path) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = {
        "weather": {"type": "function", "runtime": "client", "parameters": parameters, "description": "d"}
    }
    server = FakeServer()
    server.answers["contents"] = (200, bundle({}, tools=tools))  # type: ignore[assignment]  # bytes are sent as they are
    async with running(tmp_path, server=server, harnesses=CALLER) as rig:
        stream = rig.server.subscribe()
        await rig.server.say(call("weather", city="Oslo"))
        await until(lambda: "function_call action_required" in stream.types(), SECONDS)
        await rig.server.post({"type": "tool_result", "call_id": "c0", "output": "rain"})
        await until(lambda: settled(stream), SECONDS)
        before = len(stream.text())
        await rig.turn("tools", stream)

    assert stream.outputs() == ["rain"]
    assert json.loads(stream.text()[before:]).count("weather") == 1
    assert not [path for _, path, _ in server.calls if path.endswith("/mcp")]
