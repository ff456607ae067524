"""Files of a workspace as their bytes: whole, in part, no faster than they are read, and never shown."""

import asyncio
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from omnigent.protocol import frames
from sessions_app.flows.downloads import PART
from sessions_app.models import Session
from sessions_app.process import Process
from tests.api_plumbing.asgi_client import http_scope
from tests.environments.workspace import TEXT, Workspace, address, ask
from tests.factories import make_session
from tests.stream.servers import until
from tests.tunnel.fake_runner import FakeRunner

SIZE = len(TEXT)
RANGES = {
    "none": (None, 200, TEXT, None),
    "from the start": ("bytes=0-3", 206, TEXT[:4], f"bytes 0-3/{SIZE}"),
    "to the end": ("bytes=4-", 206, TEXT[4:], f"bytes 4-{SIZE - 1}/{SIZE}"),
    "past the end": ("bytes=4-9999", 206, TEXT[4:], f"bytes 4-{SIZE - 1}/{SIZE}"),
    "the last": ("bytes=-6", 206, TEXT[-6:], f"bytes {SIZE - 6}-{SIZE - 1}/{SIZE}"),
    "more than all": ("bytes=-9999", 206, TEXT, f"bytes 0-{SIZE - 1}/{SIZE}"),
    "one byte": ("bytes=2-2", 206, TEXT[2:3], f"bytes 2-2/{SIZE}"),
    "beyond": (f"bytes={SIZE}-", 416, None, f"bytes */{SIZE}"),
    "the last none": ("bytes=-0", 416, None, f"bytes */{SIZE}"),
    "backwards": ("bytes=5-2", 200, TEXT, None),
    "several": ("bytes=0-1,3-4", 200, TEXT, None),
    "another unit": ("lines=0-1", 200, TEXT, None),
    "nonsense": ("bytes=a-b", 200, TEXT, None),
    "huge": ("bytes=0-" + "9" * 30, 200, TEXT, None),
}


@pytest.mark.parametrize("knows_ranges", [True, False], ids=["a runner with ranges", "a runner without"])
async def test_ranges(app: Gate, workspace: Workspace, session: Session, knows_ranges: bool) -> None:
    workspace.knows_ranges = knows_ranges
    path = address(session, "/filesystem/a.txt?download=true")
    found = {}
    for name, (header, _, _, _) in RANGES.items():
        reply = await ask(app, "GET", path, headers={"Range": header} if header else {})
        content = None if reply.status == 416 else reply.body
        found[name] = (header, reply.status, content, reply.headers.get("content-range"))
        assert int(reply.headers["content-length"]) == len(reply.body)

    assert found == RANGES


async def test_a_file_is_a_download_whatever_its_runner_calls_it(
    app: Gate, workspace: Workspace, session: Session
) -> None:
    types = {
        "page.html": "text/plain; charset=utf-8",
        "pic.svg": "text/plain; charset=utf-8",
        "code.js": "text/plain; charset=utf-8",
        "pic.png": "image/png",
        "data": "application/octet-stream",
        "run.exe": "application/octet-stream",
    }
    workspace.files = dict.fromkeys(types, b"<script>")

    replies = {
        name: await ask(app, "GET", address(session, f"/filesystem/d/{name}?download=true")) for name in types
    }

    assert {name: reply.headers["content-type"] for name, reply in replies.items()} == types
    for name, reply in replies.items():
        assert reply.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in reply.headers["content-security-policy"]
        assert reply.headers["cache-control"] == "no-store"
        assert (reply.headers["accept-ranges"], reply.headers["etag"]) == ("bytes", '"v1"')


async def test_odd_names_do_not_break_the_head(app: Gate, workspace: Workspace, session: Session) -> None:
    names = {"a%22%0D%0Ab": 'a"\r\nb', "%C3%A4": "ä", "a%20b": "a b"}
    workspace.files = dict.fromkeys(names.values(), b"x")

    found = [
        (await ask(app, "GET", address(session, f"/filesystem/{name}?download=true"))).headers[
            "content-disposition"
        ]
        for name in names
    ]

    assert found == [f"attachment; filename*=UTF-8''{name}" for name in names]


async def test_an_empty_file_and_one_of_many_parts_come_whole(
    app: Gate, workspace: Workspace, session: Session
) -> None:
    large = bytes(range(256)) * (PART // 256 * 2) + b"end"
    workspace.files = {"empty": b"", "large": large}

    empty = await ask(app, "GET", address(session, "/filesystem/empty?download=true"))
    whole = await ask(app, "GET", address(session, "/filesystem/large?download=true"))
    across = {"Range": f"bytes={PART - 2}-{PART + 1}"}
    part = await ask(app, "GET", address(session, "/filesystem/large?download=true"), headers=across)

    assert (empty.status, empty.body) == (200, b"")
    assert (whole.status, whole.body == large) == (200, True)
    assert (part.status, part.body) == (206, large[PART - 2 : PART + 2])
    sizes = [dict(one.headers)["Range"] for one in workspace.asked[1:4]]
    assert sizes == [
        f"bytes=0-{PART - 1}",
        f"bytes={PART}-{2 * PART - 1}",
        f"bytes={2 * PART}-{2 * PART + 2}",
    ]


async def test_a_part_of_another_version_is_not_given(
    app: Gate, workspace: Workspace, session: Session
) -> None:
    path, part = address(session, "/filesystem/a.txt?download=true"), {"Range": "bytes=0-3"}

    same = await ask(app, "GET", path, headers={**part, "If-Range": '"v1"'})
    other = await ask(app, "GET", path, headers={**part, "If-Range": '"v0"'})

    assert (same.status, same.body) == (206, TEXT[:4])
    assert (other.status, other.body) == (200, TEXT)


async def test_refusals_come_before_the_first_byte(
    process: Process, app: Gate, workspace: Workspace, session: Session
) -> None:
    unbound = await process.pool.run(make_session)
    away = await process.pool.run(make_session, runner_id="runner_" + "0" * 32)

    found = [
        (await ask(app, "GET", address(one, f"/filesystem/{name}?download=true"))).status
        for one, name in ((session, "missing"), (unbound, "a.txt"), (away, "a.txt"))
    ]

    assert found == [404, 409, 503]


class Downloading:
    """A client that may stop to read."""

    def __init__(self, app: Gate, path: str) -> None:
        self.received = 0
        self.reads = True
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        scope = http_scope("GET", path, {})
        self.task = asyncio.create_task(app(scope, self._incoming.get, self._send))

    async def _send(self, message: Any) -> None:
        await until(lambda: self.reads)
        self.received += len(message.get("body", b""))

    def leave(self) -> None:
        """Hang up."""
        self._incoming.put_nowait({"type": "http.disconnect"})


async def test_a_file_is_fetched_no_faster_than_it_is_read(
    app: Gate, workspace: Workspace, session: Session
) -> None:
    workspace.files = {"large": bytes(6 * PART)}
    client = Downloading(app, address(session, "/filesystem/large?download=true"))
    await until(lambda: client.received > 0)
    client.reads = False
    count = len(workspace.asked)

    assert (await ask(app, "GET", address(session, "/changes"))).status == 200
    while_held = len(workspace.asked) - count
    client.reads = True
    await asyncio.wait_for(client.task, 30)

    assert while_held <= 2
    assert client.received == 6 * PART


async def test_a_client_that_leaves_ends_the_request_in_the_runner(
    app: Gate, runner: FakeRunner, workspace: Workspace, session: Session
) -> None:
    workspace.held = {"GET"}
    runner.takes = lambda request: workspace.asked.append(request) is None
    client = Downloading(app, address(session, "/filesystem/large?download=true"))
    await until(lambda: workspace.asked)

    client.leave()

    await until(lambda: workspace.asked[0].id_ in runner.cancelled)
    await asyncio.wait_for(client.task, 30)


@pytest.mark.parametrize("trouble", ["changed", "shorter", "cut", "elsewhere"])
async def test_a_file_that_changes_on_its_way_breaks_off(
    app: Gate, runner: FakeRunner, workspace: Workspace, session: Session, trouble: str
) -> None:
    content = bytes(2 * PART)
    workspace.files = {"large": content}

    def second(request: frames.Request) -> bool:
        if not workspace.asked or "Range" not in dict(request.headers):
            return workspace.take(request)
        span = f"bytes {PART}-{2 * PART - 1}/{2 * PART}"
        etag, body, error = '"v1"', bytes(PART), None
        if trouble == "changed":
            etag = '"v2"'
        elif trouble == "shorter":
            body = b"x"
        elif trouble == "cut":
            body, error = b"x", "the disk is gone"
        else:
            span = f"bytes 0-{PART - 1}/{2 * PART}"
        head = (("content-range", span), ("etag", etag))
        runner.say(frames.ResponseHead(id_=request.id_, status=206, headers=head))
        text, encoding = frames.encode_body(body, "application/octet-stream")
        runner.say(frames.ResponseBody(id_=request.id_, body=text, encoding=encoding))
        runner.say(frames.ResponseEnd(id_=request.id_, error=error))
        return True

    runner.takes = second
    client = Downloading(app, address(session, "/filesystem/large?download=true"))

    with pytest.raises(Exception, match=r"file|answer"):
        await asyncio.wait_for(client.task, 30)
    assert client.received < len(content)


async def test_a_runner_that_knows_no_downloads_says_so(
    app: Gate, runner: FakeRunner, session: Session
) -> None:
    def take(request: frames.Request) -> bool:
        runner.answer(request, 200, b'{"content":"only the beginning"}')
        return True

    runner.takes = take

    reply = await ask(app, "GET", address(session, "/filesystem/a?download=true"))

    assert (reply.status, reply.json["error"]["code"]) == (503, "runner_unavailable")
    assert b"beginning" not in reply.body
