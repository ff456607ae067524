"""What an agent shares: its own tree, however many sessions its runner has."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from omnigent.runner.tools.base import ToolError
from omnigent.runner.tools.sessions import ShareSession
from omnigent.spec.types import AgentSpec
from tests.runner.tool_rig import tool_context

SPEC = AgentSpec(name="open", sharing="non-public")
ROOTS = {"conv_1": "conv_1", "conv_child": "conv_1", "conv_other": "conv_other"}


class Grants:
    """Sessions of two trees, and the grants that were put on them."""

    def __init__(self) -> None:
        self.given: list[tuple[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = request.url.path.split("/")
        if parts[-1] == "token":
            return httpx.Response(404)
        if request.method == "PUT":
            body = json.loads(request.content)
            self.given.append((parts[3], body))
            return httpx.Response(200, json=body)
        return httpx.Response(200, json={"id": parts[3], "root_conversation_id": ROOTS[parts[3]]})


async def test_a_level_is_given_in_the_words_of_the_tool(tmp_path: Path) -> None:
    server = Grants()
    context = tool_context(tmp_path, server, spec=SPEC)

    await ShareSession().run({"user_id": "paula"}, context)
    await ShareSession().run({"user_id": "paula", "level": "manage", "session_id": "conv_child"}, context)

    assert server.given == [
        ("conv_1", {"user_id": "paula", "level": 1}),
        ("conv_child", {"user_id": "paula", "level": 3}),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"user_id": "paula", "session_id": "conv_other"}, id="another-tree"),
        pytest.param({"user_id": "__public__"}, id="everybody"),
        pytest.param({"user_id": "paula", "level": "owner"}, id="owner"),
        pytest.param({}, id="nobody"),
    ],
)
async def test_what_the_agent_may_not_share_reaches_nobody(tmp_path: Path, arguments: Any) -> None:
    server = Grants()

    with pytest.raises(ToolError):
        await ShareSession().run(arguments, tool_context(tmp_path, server, spec=SPEC))

    assert server.given == []
