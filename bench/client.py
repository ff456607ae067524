"""A bare keep-alive HTTP/1.1 client, so that measuring costs little beside what is measured."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, parsed; its shape is the route's."""
        return orjson.loads(self.body)


class Connection:
    """One connection; requests follow each other on it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    async def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read its answer; `body` is sent as JSON."""
        assert self._reader is not None and self._writer is not None
        content = b"" if body is None else orjson.dumps(body)
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}"]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        return await self._answer(self._reader)

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        if fields.get("transfer-encoding", "").lower() == "chunked":
            return Answer(status, await self._chunks(reader))
        return Answer(status, await reader.readexactly(int(fields.get("content-length", "0"))))

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        parts = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(parts)


async def ask(port: int, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
    """One request on its own connection; the parsed answer."""
    async with Connection(port) as connection:
        answer = await connection.request(method, path, body)
    if answer.status != expect:
        raise RuntimeError(f"{method} {path}: {answer.status} {answer.body.decode(errors='replace')[:500]}")
    return answer.json()
