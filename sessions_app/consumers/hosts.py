"""`/v1/hosts/{host_id}/…`: what a host is asked over its tunnel; nothing waits for it on a thread."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from omnigent.api.asgi import header_values
from omnigent.api.consumer import HttpConsumer
from omnigent.api.validation import parse, parse_query
from sessions_app.bodies import CreateDirectory, LaunchOnHost, ListHostDirectory, ListWorktrees
from sessions_app.consumers.sessions import KEY_HEADER
from sessions_app.flows import hosting, keyed
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services import hosts
from sessions_app.services.receipts import Answer, Receipts

HOME = "~"
Work = Callable[[], Awaitable[Mapping[str, Any]]]


class HostConsumer(HttpConsumer):
    """What they share."""

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()

    @property
    def named(self) -> str:
        """The host as the address names it."""
        return str(self.kwargs["host_id"])

    async def host(self) -> str:
        """Its id. Raises 404, 403 for another person's, 409 while it is away."""
        return (await self.process.pool.run(hosts.connected, self.principal, self.named)).public_id

    async def read(self, work: Awaitable[Mapping[str, Any]]) -> None:
        """Answer with what the work finds, unless the client leaves."""

        async def found() -> Mapping[str, Any]:
            return await work

        await self.json(HTTPStatus.OK, await self.unless_disconnected(found()))

    def receipts(self, raw: bytes) -> Receipts:
        """The receipt of this request, whose body is `raw`."""
        keys = header_values(self.scope, KEY_HEADER)
        key = None if not keys else keys[0].decode("latin-1") if len(keys) == 1 else ""
        return Receipts(key, f"{self.scope['method']} {self.scope['path']}\n".encode() + raw)

    async def change(self, receipts: Receipts, work: Work) -> None:
        """Answer with what the work makes; under the same key it is made once."""

        async def made() -> Answer:
            return Answer(HTTPStatus.OK, orjson.dumps(await work()))

        answer = await keyed.once(self.process, self.principal, receipts, made)
        await self.json(answer.status, answer.body)


class LaunchRunnerConsumer(HostConsumer):
    """POST /v1/hosts/{host_id}/runners"""

    async def handle(self) -> None:
        raw = await self.body()
        body = parse(LaunchOnHost, raw)
        receipts = self.receipts(raw)

        async def launch() -> Mapping[str, Any]:
            return await hosting.launch_runner(self.process, self.principal, self.named, body, receipts)

        await self.change(receipts, launch)


class ListDirectoryConsumer(HostConsumer):
    """GET /v1/hosts/{host_id}/filesystem[/{path}]"""

    async def handle(self) -> None:
        host_id = await self.host()
        asked = parse_query(ListHostDirectory, self.scope["query_string"])
        path = self.kwargs.get("path")
        where = HOME if path is None else rooted(str(path))
        await self.read(hosting.list_directory(self.process, host_id, where, asked))


class CreateDirectoryConsumer(HostConsumer):
    """POST /v1/hosts/{host_id}/directories"""

    async def handle(self) -> None:
        raw = await self.body()
        path = parse(CreateDirectory, raw).path

        async def make() -> Mapping[str, Any]:
            return await hosting.create_directory(self.process, await self.host(), path)

        await self.change(self.receipts(raw), make)


class ListWorktreesConsumer(HostConsumer):
    """GET /v1/hosts/{host_id}/worktrees"""

    async def handle(self) -> None:
        host_id = await self.host()
        path = parse_query(ListWorktrees, self.scope["query_string"]).path
        await self.read(hosting.list_worktrees(self.process, host_id, path))


class ModelOptionsConsumer(HostConsumer):
    """GET /v1/hosts/{host_id}/harnesses/{harness}/model-options"""

    async def handle(self) -> None:
        host_id = await self.host()
        await self.read(hosting.model_options(self.process, host_id, str(self.kwargs["harness"])))


class RefreshHarnessesConsumer(HostConsumer):
    """POST /v1/hosts/{host_id}/harnesses/refresh"""

    async def handle(self) -> None:
        async def probe() -> Mapping[str, Any]:
            found = await self.process.pool.run(hosts.refreshing, self.principal, self.named)
            return await hosting.refresh_harnesses(self.process, found.public_id)

        await self.change(self.receipts(await self.body()), probe)


def rooted(path: str) -> str:
    """The path that an address ends in: from the root of the disk, unless it starts with a home directory."""
    return path if path.startswith(("/", "~")) else f"/{path}"
