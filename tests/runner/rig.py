"""A runner in this process, connected to the fake server, with fast pauses and a directory of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from omnigent.link import LinkRules
from omnigent.runner.api import Patience, ServerApi
from omnigent.runner.app import RunnerApp
from omnigent.runner.config import RunnerConfig, read_config
from omnigent.runner.harnesses.rows import HARNESSES, HarnessRow
from tests.runner.fake_server import FakeServer, until
from tests.runner.stream import Stream

FAST = LinkRules(backoff_start=0.02, backoff_cap=0.05, recycle_delay=(0.02, 0.05))


@dataclass(frozen=True, kw_only=True)
class Rig:
    """What a test works with."""

    server: FakeServer
    app: RunnerApp
    running: "asyncio.Task[int]"
    workspace: Path

    async def turn(self, text: str, stream: Stream) -> None:
        """One message and the end of its turn."""
        before = len(stream.events)
        assert await self.server.say(text) == "accepted"
        await until(lambda: settled(stream, before))


def settled(stream: Stream, since: int = 0) -> bool:
    """Whether a status that ends a turn came after so many events."""
    return any(
        event["type"] == "session.status" and event["status"] in {"idle", "failed"}
        for event in stream.events[since:]
    )


def config_for(
    server: FakeServer, workspace: Path, *, environment: Mapping[str, str] | None = None, **changes: object
) -> RunnerConfig:
    """Settings of a runner that keeps nothing in a place that another test's runner looks at."""
    given = environment or {"PATH": "/usr/bin:/bin", "OMNIGENT_SCRIPTED_PAUSE_SECONDS": "0.01"}
    state = str(workspace.parent / f"{workspace.name}-state")
    environment = {"OMNIGENT_STATE_DIR": state, **given}
    arguments = ["--server", server.url, "--runner-id", "runner_1", "--workspace", str(workspace)]
    return replace(read_config(arguments, environment), **changes)  # type: ignore[arg-type]  # changes by name, of many types


@asynccontextmanager
async def running(
    workspace: Path,
    *,
    server: FakeServer | None = None,
    harnesses: Mapping[str, HarnessRow] = HARNESSES,
    patience: Patience | None = None,
    **changes: object,
) -> AsyncIterator[Rig]:
    """A connected runner; it is stopped at the end."""
    async with (server or FakeServer()).listening() as listening:
        config = config_for(listening, workspace, **changes)
        api = ServerApi(
            server_url=config.server_url,
            runner_id=config.runner_id,
            token=config.token,
            patience=patience or Patience(start=0.02, cap=0.1),
        )
        app = RunnerApp(config, api=api, rules=FAST, harnesses=harnesses)
        task = asyncio.create_task(app.run())
        try:
            await listening.tunnel()
            yield Rig(server=listening, app=app, running=task, workspace=workspace)
        finally:
            app.stop()
            await task
