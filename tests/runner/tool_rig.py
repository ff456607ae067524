"""What a tool is called with, without a runner around it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnigent.runner.agents import Agents, LoadedAgent
from omnigent.runner.config import read_config
from omnigent.runner.harnesses.registry import Models
from omnigent.runner.rooms import Home, Rooms
from omnigent.runner.runtime import Runtime, Tunnel
from omnigent.runner.tools.base import ToolContext
from omnigent.runner.tools.reaper import Reaper
from omnigent.runner.uplink import DEFAULT_LIMIT, Uplink
from omnigent.runner.workspace import Workspace
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox
from tests.runner.api_rig import Handler, Server, make_api


async def no_gate(name: str, arguments: Mapping[str, Any], operation_id: str) -> str:
    """Tools that call other tools need a runner."""
    raise AssertionError(f"{name} was called through the gate")


async def nothing_to_cancel(operation_id: str) -> None:
    """Nor do any tools run there."""


def tool_context(
    workspace: Path,
    server: Handler | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    spec: AgentSpec | None = None,
    session_id: str = "conv_1",
) -> ToolContext:
    """The context of one session that works in `workspace`; its reaper is the caller's to close."""
    api = make_api(server or Server())
    child = environment if environment is not None else {"PATH": "/usr/bin:/bin"}
    config = read_config(["--workspace", str(workspace), "--runner-id", "runner_1"], child)
    reaper = Reaper()
    runtime = Runtime(
        config=config, api=api, agents=Agents(api), models=Models(child), reaper=reaper, tunnel=Tunnel()
    )
    home = Home(
        session_id=session_id,
        runtime=runtime,
        uplink=Uplink(limit=DEFAULT_LIMIT),
        call_tool=no_gate,
        cancel_tool=nothing_to_cancel,
        turn=lambda: 1,
    )
    own = spec or AgentSpec(name="helper", os_env=OsEnv(sandbox=Sandbox(type="none")))
    return ToolContext(
        workspace=Workspace.at(workspace),
        environment=child,
        reaper=reaper,
        api=api,
        session_id=session_id,
        rooms=Rooms(home),
        agent=LoadedAgent(spec=own, digest="0"),
        spec=own,
    )
