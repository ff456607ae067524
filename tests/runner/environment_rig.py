"""Requests to a runner about a session's environment, as the server sends them through the tunnel."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from omnigent.protocol import frames
from tests.runner.fake_server import FakeServer

DEFAULT = "/v1/sessions/conv_1/resources/environments/default"


@dataclass(kw_only=True)
class Answer:
    """One answer; `error` says that the body was cut."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    pieces: int = 0
    error: str | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of an error answer."""
        assert set(self.json["error"]) == {"code", "message"}
        return self.status, self.json["error"]["code"]


async def ask(
    server: FakeServer,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
    keep: bool = True,
    **query: Any,
) -> Answer:
    """`path` is what stands behind the environment, or a path of its own when it begins with /v1. Without
    `keep` the body is only counted.
    """
    tunnel = await server.tunnel()
    request_id = secrets.token_hex(8)
    queue: asyncio.Queue[frames.Frame | None] = asyncio.Queue()
    tunnel.waiting[request_id] = queue
    request = frames.Request(
        id_=request_id,
        method=method,
        path=path if path.startswith("/v1") else DEFAULT + path,
        query_string=urlencode(query),
        headers=tuple((headers or {}).items()),
        body=None if body is None else json.dumps(body),
    )
    await tunnel.send(request)
    answer = Answer()
    while True:
        frame = await asyncio.wait_for(queue.get(), 30)
        match frame:
            case frames.ResponseHead():
                answer.status, answer.headers = frame.status, dict(frame.headers)
            case frames.ResponseBody():
                answer.pieces += 1
                data = frames.decode_body(frame.body, frame.encoding)
                answer.data += data if keep else b""
            case frames.ResponseEnd():
                answer.error = frame.error
                del tunnel.waiting[request_id]
                return answer
            case _:
                raise AssertionError(f"unexpected frame {frame}")
