"""Reading the web: through the guard, at every redirect, within bounds."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from omnigent.runner.tools import web
from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.runner.tools.page_text import text_of
from omnigent.spec.types import AgentSpec, BuiltinTool
from tests.outbound.authority import Authority
from tests.outbound.https_server import HttpsServer, answer, https_server, raw
from tests.runner.tool_rig import tool_context

HTML = "Content-Type: text/html; charset=utf-8"
PAGE = b"""<!doctype html><html><head><title>Prices</title><style>p {color: red}</style></head>
<body><h1>Fruit &amp; more</h1><script>steal("<p>no</p>")</script>
<p>Apples   cost\n<b>3</b> euros, see <a href="/list?a=1&amp;b=2">the list</a>.</p>
<ul><li>one<li>two</ul><!-- hidden --><pre>  a\n    b</pre></body></html>"""
Answers = Callable[[str], Callable[..., Awaitable[None]]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def site(
    authority: Authority, tmp_path: Path, reply: object
) -> AsyncIterator[tuple[HttpsServer, ToolContext]]:
    """A server that the runner's environment allows by its name, and a session's tools."""
    async with https_server(authority.server_context("localhost"), reply) as server:  # type: ignore[arg-type]  # a reply, however made
        environment = {
            web.ALLOWED: "localhost",
            web.PORTS: f"443, {server.port}",
            web.CA_FILE: str(authority.ca_file),
        }
        context = tool_context(tmp_path, environment=environment)
        try:
            yield server, context
        finally:
            await context.rooms.close()
            context.reaper.close()


async def fetch(context: ToolContext, url: str, **arguments: object) -> str:
    return await web.ReadWeb("web_fetch").run({"url": url, **arguments}, context)


def moved(to: str, status: str = "302 Found") -> object:
    return answer(status, b"", f"Location: {to}")


def test_only_what_is_declared_is_offered() -> None:
    assert web.granted(AgentSpec(name="a")) == {}
    declared = (BuiltinTool(name="web_fetch"), BuiltinTool(name="web_search"))
    assert set(web.granted(AgentSpec(name="a", builtin_tools=declared))) == {"web_fetch", "web_search"}


async def test_a_page_is_read_as_text(authority: Authority, tmp_path: Path) -> None:
    async with site(authority, tmp_path, answer("200 OK", PAGE, HTML)) as (server, context):
        address = f"https://localhost:{server.port}/shop#top"
        text = await fetch(context, address)

    head, _, shown = text.partition("\n\n")
    assert head.startswith(f"[https://localhost:{server.port}/shop answered 200, text/html, ")
    assert shown == (
        "# Prices\n\n# Fruit & more\n\nApples cost 3 euros, see the list "
        f"(https://localhost:{server.port}/list?a=1&b=2).\n\n- one\n- two\n\n  a\n    b\n"
    )
    assert server.requests[0].line == "GET /shop HTTP/1.1"


@pytest.mark.parametrize(
    ("body", "header", "shown"),
    [
        pytest.param(b'{"a": 1}', "Content-Type: application/json", '{"a": 1}', id="json"),
        pytest.param(b"\xe9t\xe9", "Content-Type: text/plain; charset=latin-1", "été", id="charset"),
        pytest.param(b"a\xff", "Content-Type: text/plain; charset=rot13", "a\ufffd", id="no charset"),
        pytest.param(b"plain", "X-None: 1", "plain", id="no type"),
        pytest.param(b"\x00\x01", "Content-Type: image/png", "2 bytes that are no text", id="binary"),
        pytest.param(b"\x00\x01", "X-None: 1", "2 bytes that are no text", id="untold binary"),
    ],
)
async def test_other_types_come_as_they_are(
    authority: Authority, tmp_path: Path, body: bytes, header: str, shown: str
) -> None:
    async with site(authority, tmp_path, answer("200 OK", body, header)) as (server, context):
        assert shown in await fetch(context, f"https://localhost:{server.port}/")


async def test_a_long_text_comes_in_parts(authority: Authority, tmp_path: Path) -> None:
    reply = answer("404 Not Found", b"0123456789", "Content-Type: text/plain")
    async with site(authority, tmp_path, reply) as (server, context):
        first = await fetch(context, f"https://localhost:{server.port}/", limit=4)
        last = await fetch(context, f"https://localhost:{server.port}/", offset=8)

    assert "answered 404" in first
    assert first.endswith("\n\n0123\n[cut here; go on with offset 4]\n")
    assert last.endswith("characters]\n\n89\n")


async def test_redirects_are_followed_to_where_the_guard_lets(authority: Authority, tmp_path: Path) -> None:
    async with site(authority, tmp_path, moved("/b")) as (server, context):
        url = f"https://localhost:{server.port}/a"

        async def once(writer: object) -> None:
            server.reply = answer("200 OK", b"here", "Content-Type: text/plain")
            await moved("/b")(writer)  # type: ignore[operator]  # a reply

        server.reply = once
        assert f"[https://localhost:{server.port}/b answered 200" in await fetch(context, url)
        server.reply = moved("/round")  # type: ignore[assignment]  # a reply
        with pytest.raises(ToolError, match="redirects more than 5 times"):
            await fetch(context, url)

    lines = [request.line.split()[1] for request in server.requests]
    assert lines == ["/a", "/b", "/a", *["/round"] * 5]


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("https://127.0.0.1:{port}/", "loopback"),
        ("https://169.254.169.254/latest/meta-data/", "cloud metadata"),
        ("https://[::1]/", "loopback"),
        ("https://10.0.0.1/", "private network"),
        ("https://[::ffff:127.0.0.1]/", "translated IPv4"),
        ("http://localhost:{port}/", "only https"),
        ("file:///etc/passwd", "only https"),
        ("https://localhost:22/", "port 22"),
        ("https://user:secret@localhost:{port}/", "user name or password"),
        ("https://[::1", "no address"),
    ],
)
async def test_what_is_not_public_is_reached_neither_at_once_nor_by_a_redirect(
    authority: Authority, tmp_path: Path, to: str, reason: str
) -> None:
    async with site(authority, tmp_path, answer()) as (server, context):
        forbidden = to.format(port=server.port)
        server.reply = moved(forbidden)  # type: ignore[assignment]  # a reply
        with pytest.raises(ToolError, match=reason):
            await fetch(context, f"https://localhost:{server.port}/a")
        if reason != "no address":
            with pytest.raises(ToolError, match=reason):
                await fetch(context, forbidden)

    assert [request.line for request in server.requests] == ["GET /a HTTP/1.1"]


async def test_without_a_setting_this_machine_cannot_be_reached(authority: Authority, tmp_path: Path) -> None:
    async with site(authority, tmp_path, answer()) as (server, _):
        context = tool_context(tmp_path, environment={web.PORTS: str(server.port)})
        with pytest.raises(ToolError, match="not allowed \\(loopback\\)"):
            await fetch(context, f"https://localhost:{server.port}/")
        await context.rooms.close()
        context.reaper.close()

    assert server.connections == 0


@pytest.mark.parametrize("name", [web.ALLOWED, web.PORTS, web.CA_FILE])
async def test_a_wrong_setting_is_named_and_nothing_is_fetched(tmp_path: Path, name: str) -> None:
    context = tool_context(tmp_path, environment={name: "/?"})
    with pytest.raises(ToolError, match="of this runner is wrong"):
        await fetch(context, "https://example.org/")
    context.reaper.close()


async def test_an_answer_that_is_too_large_is_refused(authority: Authority, tmp_path: Path) -> None:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {web.MAX_BYTES + 1}\r\n\r\n".encode()
    )
    async with site(authority, tmp_path, raw(head + b"x" * (web.MAX_BYTES + 1))) as (server, context):
        with pytest.raises(ToolError, match=f"more than {web.MAX_BYTES} bytes"):
            await fetch(context, f"https://localhost:{server.port}/")


@pytest.mark.parametrize("arguments", [{}, {"url": 7}, {"url": "x", "offset": -1}, {"url": "x", "limit": 0}])
async def test_bad_arguments_are_named(tmp_path: Path, arguments: dict[str, object]) -> None:
    context = tool_context(tmp_path)
    with pytest.raises(ToolError, match=r"url|offset|limit"):
        await web.ReadWeb("web_read").run(arguments, context)
    context.reaper.close()


async def test_search_says_what_it_takes(tmp_path: Path) -> None:
    context = tool_context(tmp_path)
    with pytest.raises(ToolError, match="needs a search service"):
        await web.SearchWeb().run(json.loads('{"query": "x"}'), context)
    context.reaper.close()


@pytest.mark.parametrize(
    "part",
    [
        "<a ",
        "<",
        "</",
        "<!--",
        "<script>",
        "<div>",
        "<a href='",
        "<b x=",
        "&#9",
        "<svg><",
        "<pre>",
        "<td>",
        "<![CDATA[",
    ],
)
def test_a_hostile_page_is_read_as_fast_as_any_other(part: str) -> None:
    page = part * (2 * 2**20 // len(part))

    # A tree-building parser takes minutes for these; the test's own time limit is the assertion.
    assert len(text_of(page, "https://example.org/")) <= 2 * len(page)
    assert text_of(f"<p>kept</p>{page}", "https://example.org/").startswith("kept")


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a < b and c > d", "a < b and c > d"),
        ("<p>1</p><p>2", "1\n\n2"),
        ("x<br/>y<hr>z", "x\ny\nz"),
        ("<STYLE>p</STYLE >a<Script>b", "a"),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";"),
        (
            "<a href=javascript:x>no</a> <a href='#top'>top</a> <a href=//b.org/c>yes</a>",
            "no top yes (https://b.org/c)",
        ),
        ("<a href='https://[bad'>odd</a>", "odd"),
        ("<table><tr><th>k</th><td>v</td></tr></table>", "| k | v"),
        ("<h2>Two</h2>t", "## Two\n\nt"),
        ("", ""),
    ],
)
def test_pages_as_text(page: str, text: str) -> None:
    assert text_of(page, "https://example.org/a") == text
