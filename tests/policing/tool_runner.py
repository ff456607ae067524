"""A runner that executes tools, each operation once, and gives the same result to whoever asks again."""

from collections.abc import Mapping
from typing import Any

import orjson

from omnigent.protocol import frames
from tests.inputs.fake_runner import FakeRunner, Line


class ToolRunner(FakeRunner):
    """`executed` are the calls that were really made. With `loses_next` the tunnel goes before an answer."""

    def __init__(self, server: Any, runner_id: str = "runner_fake", *, token: str | None = None) -> None:
        super().__init__(server, runner_id, token=token)
        self.executed: list[Mapping[str, Any]] = []
        self.output: Any = "done"
        self.loses_next = False
        self._results: dict[str, Mapping[str, Any]] = {}

    async def _post(self, line: Line, request: frames.Request) -> None:
        if not request.path.endswith("/mcp/execute"):
            await super()._post(line, request)
            return
        body = orjson.loads(request.body or "{}")
        operation = body["_omnigent_operation"]["id"]
        if operation not in self._results:
            self.executed.append(body["params"])
            self._results[operation] = {"result": {"output": self.output}}
        if self.loses_next:
            self.loses_next = False
            await self.disconnect(line=line)
        else:
            self._reply(line, request.id_, 200, self._results[operation])
