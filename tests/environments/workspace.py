"""A workspace as a runner answers for it, and addresses into one exactly as a client sends them."""

import re
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from omnigent.api.asgi import Application, Receive, Scope, Send
from omnigent.protocol import frames
from sessions_app.models import Session
from tests.api_plumbing.asgi_client import Reply, call
from tests.tunnel.fake_runner import FakeRunner

ROOT = "/home/me/project"
JSON = {"content-type": "application/json"}
SECRET = b"the secret of another"
TEXT = b"one\ntwo\nthree\n"
RANGE = re.compile(r"bytes=(\d+)-(\d+)")
Json = dict[str, Any]


def address(session: Session, end: str = "", environment: str = "default") -> str:
    """A session's environment, or something below it; `end` is sent as it stands."""
    return f"/v1/sessions/{session.public_id}/resources/environments/{environment}{end}"


async def ask(
    app: Application,
    method: str,
    raw: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Reply:
    """A request to an address that may be percent-encoded, in the form in which servers hand it over."""
    path, _, query = raw.partition("?")
    exact = {"path": unquote(path), "raw_path": path.encode(), "query_string": query.encode()}

    async def at(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, **exact}, receive, send)

    return await call(at, method, "/", body, {**JSON, **(headers or {})})


class Workspace:
    """Answers a runner's resource requests. `answers` by method and end of the path come first."""

    def __init__(self, runner: FakeRunner) -> None:
        self.runner = runner
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.held: set[str] = set()
        self.files = {"a.txt": TEXT, "secret.env": SECRET}
        self.asked: list[frames.Request] = []
        self.knows_ranges = True
        self.etag = '"v1"'
        self.resources: list[Json] = []
        runner.takes = self.take

    @property
    def lines(self) -> list[str]:
        """What was asked, as method and path with its query."""
        return [
            f"{one.method} {one.path}" + (f"?{one.query_string}" if one.query_string else "")
            for one in self.asked
        ]

    def take(self, request: frames.Request) -> bool:
        """Answer a request below a session's resources."""
        if "/resources" not in request.path:
            return False
        self.asked.append(request)
        end = unquote(request.path).partition("/resources")[2]
        if request.method in self.held:
            return True
        if "download=true" in request.query_string:
            self.send(request, self.files.get(end.rpartition("/")[2]))
            return True
        status, body = self.answers.get((request.method, end)) or self.usual(request, end)
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        self.runner.answer(request, status, content)
        return True

    def usual(self, request: frames.Request, end: str) -> tuple[int, Any]:
        """The answer of a workspace in which everything is there."""
        if end == "":
            kind = parse_qs(request.query_string).get("type", [""])[0]
            rows = [row for row in self.resources if kind in ("", row["type"])]
            return 200, {"object": "list", "data": rows, "has_more": False}
        return 200, {"object": "answer", "method": request.method, "end": end}

    def send(self, request: frames.Request, content: bytes | None) -> None:
        """A file's bytes, all of them or the part that is asked for."""
        if content is None:
            missing = {"error": {"code": "not_found", "message": "Path 'x' not found"}}
            self.runner.answer(request, 404, orjson.dumps(missing))
            return
        asked = dict(request.headers).get("Range", "")
        match = RANGE.fullmatch(asked) if self.knows_ranges else None
        headers = [("content-disposition", "attachment"), ("content-type", "text/html")]
        if self.knows_ranges:
            headers.append(("etag", self.etag))
        status, part = 200, content
        if match is not None:
            start, end = int(match[1]), min(int(match[2]) + 1, len(content))
            status, part = (206, content[start:end]) if start < len(content) else (416, b"")
            span = f"{start}-{end - 1}" if part else "*"
            headers.append(("content-range", f"bytes {span}/{len(content)}"))
        headers.append(("content-length", str(len(part))))
        self.runner.say(frames.ResponseHead(id_=request.id_, status=status, headers=tuple(headers)))
        for at in range(0, len(part), 65536):
            text, encoding = frames.encode_body(part[at : at + 65536], "application/octet-stream")
            self.runner.say(frames.ResponseBody(id_=request.id_, body=text, encoding=encoding))
        self.runner.say(frames.ResponseEnd(id_=request.id_))


def environment(name: str = "default", **facts: Any) -> Json:
    """An environment as a runner lists it."""
    return {
        "id": name,
        "object": "session.resource",
        "type": "environment",
        "session_id": "conv_1",
        "name": name,
        "metadata": {"environment_type": "caller_process", "role": "primary", **facts},
    }


def terminal(name: str = "terminal_shell_main") -> Json:
    """A terminal as a runner lists it."""
    facts = {"terminal_name": "shell", "session_key": "main", "running": True}
    row = {"id": name, "object": "session.resource", "type": "terminal", "session_id": "conv_1"}
    return {**row, "name": "shell", "environment": f"env_{name}", "metadata": facts}
