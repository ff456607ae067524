"""MCP servers over streamable HTTP: reached, refused, bounded, found again after a restart."""

import asyncio
import gzip
import json
import logging
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from omnigent.runner.approvals import Answer
from omnigent.runner.tools.base import ToolError
from omnigent.spec.tooling import McpServer, Retry
from tests.runner.fake_server import until
from tests.runner.mcp_rig import QUICK, SCRIPTS, session
from tests.services.processes import free_port

SECRET = "hunter2-hunter2"
Respond = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]


def http(url: str, **changes: Any) -> McpServer:
    return McpServer(**{"name": "t", "transport": "http", "url": url, "retry": QUICK, **changes})


@asynccontextmanager
async def serving(port: int) -> AsyncIterator[Process]:
    """The server of the package as a process of its own, listening."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPTS / "tools.py"), "http", str(port), stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await listening(port, process)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listening(port: int, process: Process) -> None:
    async with asyncio.timeout(30):
        while True:
            assert process.returncode is None, "the server ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


class Odd:
    """A server that answers every request as the test says, and writes the requests down."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    async def asgi(self, scope: dict[str, Any], receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        data = b""
        while True:
            message = await receive()
            data += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        self.requests.append((scope["path"], headers))
        status, answer, body = self.respond(json.loads(data) if data else {})
        rows = [(key.encode(), value.encode()) for key, value in answer.items()]
        await send({"type": "http.response.start", "status": status, "headers": rows})
        await send({"type": "http.response.body", "body": body})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Odd"]:
        config = uvicorn.Config(
            self.asgi, host="127.0.0.1", port=0, lifespan="off", log_level="error", interface="asgi3"
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
        try:
            yield self
        finally:
            server.should_exit = True
            await task


def result(request: dict[str, Any], body: Any) -> tuple[int, dict[str, str], bytes]:
    answer = {"jsonrpc": "2.0", "id": request.get("id"), "result": body}
    return 200, {"content-type": "application/json"}, json.dumps(answer).encode()


def plain(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """A server with one tool, in plain JSON."""
    if request.get("method") == "initialize":
        info = {"name": "odd", "version": "1"}
        version = request["params"]["protocolVersion"]
        return result(request, {"protocolVersion": version, "capabilities": {}, "serverInfo": info})
    if request.get("method") == "tools/list":
        return result(request, {"tools": [{"name": "plain", "inputSchema": {"type": "object"}}]})
    if request.get("method") == "tools/call":
        return result(request, {"content": [{"type": "text", "text": "done"}]})
    return 202 if request else 405, {}, b""


async def test_tools_over_http_are_listed_called_and_may_fail(tmp_path: Path) -> None:
    port = free_port()
    async with serving(port), session(tmp_path, http(f"http://127.0.0.1:{port}/mcp")) as mine:
        assert await mine.call("t__add", left=1, right=2) == "3"
        assert len(await mine.call("t__flood", size=2_000_000)) == 2_000_000
        with pytest.raises(ToolError, match="Error executing tool fail"):
            await mine.call("t__fail")


async def test_a_question_over_http_is_answered(tmp_path: Path) -> None:
    async def ask(forms: Any) -> dict[str, Answer]:
        return dict.fromkeys(forms, Answer(action="accept", content={"colour": "red"}))

    port = free_port()
    async with serving(port), session(tmp_path, http(f"http://127.0.0.1:{port}/mcp")) as mine:
        tool = (await mine.listing()).tools["t__ask"]
        assert await tool.run({}, replace(mine.context, ask=ask)) == "accept red"


async def test_a_server_that_was_restarted_is_found_again(tmp_path: Path) -> None:
    port = free_port()
    async with session(tmp_path, http(f"http://127.0.0.1:{port}/mcp")) as mine:
        async with serving(port):
            assert await mine.call("t__echo", text="one") == "one"
        assert (await mine.listing()).faults.keys() == {"t"}
        async with serving(port):
            assert await mine.call("t__echo", text="two") == "two"


async def test_a_server_that_is_not_there_costs_its_own_tools_only(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/mcp"
    async with session(tmp_path, http(url, retry=Retry(backoff_base_s=60))) as mine:
        listing = await mine.listing()

    assert listing.tools == {}
    assert listing.faults.keys() == {"t"}


async def test_headers_go_to_the_server_and_a_redirect_is_not_followed(tmp_path: Path) -> None:
    def elsewhere(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        return 307, {"location": "/other"}, b""

    headers = {"Authorization": f"Bearer {SECRET}"}
    async with Odd(elsewhere).listening() as odd:
        server = http(odd.url, headers=headers, retry=Retry(backoff_base_s=60))
        async with session(tmp_path, server) as mine:
            listing = await mine.listing()

    assert listing.faults.keys() == {"t"}
    assert {path for path, _ in odd.requests} == {"/mcp"}
    assert odd.requests[0][1]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "kind", ["endless", "packed", "not json", "no content", "500", "wrong type", "events without end"]
)
async def test_an_answer_that_cannot_be_used_is_told_and_the_next_call_works(
    tmp_path: Path, kind: str
) -> None:
    answers = {
        "endless": (200, {"content-type": "application/json"}, b'{"a": "' + b"x" * 17_000_000),
        "packed": (
            200,
            {"content-type": "application/json", "content-encoding": "gzip"},
            gzip.compress(b"x" * 40_000_000),
        ),
        "not json": (200, {"content-type": "application/json"}, b"<html>"),
        "no content": (202, {}, b""),
        "500": (500, {}, SECRET.encode()),
        "wrong type": (200, {"content-type": "text/html"}, b"<html>"),
        "events without end": (200, {"content-type": "text/event-stream"}, b"data: " + b"x" * 17_000_000),
    }
    broken = True

    def respond(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        return answers[kind] if broken and request.get("method") == "tools/call" else plain(request)

    async with Odd(respond).listening() as odd, session(tmp_path, http(odd.url, timeout=20)) as mine:
        with pytest.raises(ToolError):
            await mine.call("t__plain")
        broken = False
        assert await mine.call("t__plain") == "done"


async def test_secrets_of_a_url_and_of_headers_are_told_to_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def tells(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        error = {"code": -32603, "message": f"not with {SECRET}"}
        body = json.dumps({"jsonrpc": "2.0", "id": request.get("id"), "error": error})
        is_call = request.get("method") == "tools/call"
        return (200, {"content-type": "application/json"}, body.encode()) if is_call else plain(request)

    async with Odd(tells).listening() as odd:
        server = http(f"{odd.url}?key={SECRET}", headers={"X-Key": SECRET})
        async with session(tmp_path, server) as mine:
            with pytest.raises(ToolError) as failed:
                await mine.call("t__plain")

    told = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    assert str(failed.value) == "not with [REDACTED]"
    assert not [line for line in told if SECRET in line and "uvicorn" not in line]
