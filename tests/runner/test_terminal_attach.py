"""Looking at a terminal through the tunnel: its screen, its bytes, keys and sizes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from omnigent.protocol import frames
from tests.runner.fake_server import FakeServer, Tunnel
from tests.runner.rig import running

pytestmark = pytest.mark.terminal

AGENT = """\
name: helper
prompt: You help.
executor: {harness: scripted}
os_env: {type: caller_process, sandbox: {type: none}}
terminals:
  shell: {command: bash --norc, env: {PS1: "$ "}}
"""
PATH = "/v1/sessions/conv_1/resources/terminals"
TERMINAL = f"{PATH}/terminal_shell_main"


def has_seed(data: bytes) -> bool:
    """Whether the screen as it was has come."""
    return b"\x1b[!p" in data


class Viewer:
    """One channel of the tunnel, from the server's side."""

    def __init__(self, tunnel: Tunnel, channel: str) -> None:
        self._tunnel = tunnel
        self._channel = channel
        self._frames: asyncio.Queue[frames.Frame | None] = asyncio.Queue()
        tunnel.waiting[channel] = self._frames
        self.slices: list[bytes] = []
        self.closed: frames.WsClose | None = None

    async def open(self, path: str = f"{TERMINAL}/attach", query: str = "read_only=false") -> None:
        await self._tunnel.send(frames.WsOpen(ch_id=self._channel, path=path, query_string=query))

    async def type(self, data: bytes) -> None:
        text, encoding = frames.encode_body(data, "application/octet-stream")
        await self._tunnel.send(frames.WsFrame(ch_id=self._channel, data=text, encoding=encoding))

    async def say(self, **body: object) -> None:
        await self._tunnel.send(frames.WsFrame(ch_id=self._channel, data=json.dumps(body)))

    async def leave(self) -> None:
        await self._tunnel.send(frames.WsClose(ch_id=self._channel))

    async def until(self, accepted: Callable[[bytes], bool]) -> bytes:
        """Everything that was sent, once it is accepted, or the channel is closed."""
        async with asyncio.timeout(20):
            while not accepted(b"".join(self.slices)) and self.closed is None:
                frame = await self._frames.get()
                if isinstance(frame, frames.WsFrame):
                    self.slices.append(frames.decode_body(frame.data, frame.encoding))
                elif isinstance(frame, frames.WsClose):
                    self.closed = frame
        return b"".join(self.slices)


@asynccontextmanager
async def opened(workspace: Path) -> AsyncIterator[tuple[FakeServer, Callable[[str], Viewer]]]:
    """A runner with a terminal, and what makes viewers of it."""
    server = FakeServer()
    server.agent = AGENT
    async with running(workspace, server=server):
        status, _ = await server.request("POST", PATH, {"terminal": "shell"})
        assert status == 200
        tunnel = await server.tunnel()
        yield server, lambda channel: Viewer(tunnel, channel)


async def test_a_viewer_gets_the_screen_and_then_what_comes(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, viewer):
        first, second = viewer("a"), viewer("b")
        await first.open()
        await first.type(b"seq 1 100; echo gr\xc3\xb6\xc3\x9fer\r")
        await first.until(lambda data: b"\r\ngr\xc3\xb6\xc3\x9fer\r\n" in data)
        await second.open()
        seed = await second.until(has_seed)

        await first.type(b"echo li''ve\r")

        assert "größer" in seed.decode()
        assert b"\r\n1\r\n2\r\n" in seed
        assert seed.startswith(b"\x1b[!p\x1b[?1049l")
        assert b"\rlive\r\n" in await second.until(lambda data: b"\rlive\r\n" in data)
        assert b"\rlive\r\n" not in seed
        assert (await second.until(lambda _: True)).count(b"\rlive\r\n") == 1


async def test_a_viewer_says_how_large_its_screen_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, viewer):
        one = viewer("a")
        await one.open()
        await one.say(type="resize", cols=77, rows=22)
        for nonsense in ({"type": "resize", "cols": "x", "rows": 3}, {"type": "other"}, {"type": "resize"}):
            await one.say(**nonsense)
        await one.type(b"until [ \"$(stty size)\" = '22 77' ]; do sleep 0.05; done; echo fit''ted\r")

        assert b"\rfitted" in await one.until(lambda data: b"\rfitted" in data)


async def test_a_reader_cannot_type_or_resize(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, viewer):
        reader, writer = viewer("a"), viewer("b")
        await reader.open(query="read_only=true")
        await reader.until(has_seed)
        await reader.type(b"echo intru''sion\r")
        await reader.say(type="resize", cols=33, rows=11)
        await writer.open()
        await writer.type(b"stty size; echo en''d\r")

        seen = await reader.until(lambda data: b"\r\nend\r\n" in data)

        assert b"intru" not in seen
        assert b"11 33" not in seen


async def test_a_large_input_and_a_large_output_arrive_whole(tmp_path: Path) -> None:
    text = b"".join(b"%06d" % number for number in range(3000))
    async with opened(tmp_path) as (_, viewer):
        one = viewer("a")
        await one.open()
        await one.type(b"stty raw -echo; echo rea''dy; head -c 18000 > got; stty sane; echo do''ne\r")
        await one.until(lambda data: b"ready" in data)
        await one.type(text)
        await one.until(lambda data: b"done" in data)
        await one.type(b"seq 1 50000; echo al''l\r")
        seen = await one.until(lambda data: b"\r\nall\r\n" in data)

    assert (tmp_path / "got").read_bytes() == text
    assert b"\r\n".join(b"%d" % number for number in range(1, 50001)) in seen
    assert max(len(part) for part in one.slices) <= 64 * 1024


async def test_the_end_of_the_program_closes_the_channel(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, viewer):
        one = viewer("a")
        await one.open()
        await one.type(b"exit\r")
        await one.until(lambda _: False)
        late = viewer("b")
        await late.open()
        await late.until(lambda _: False)

    assert one.closed is not None
    assert one.closed.code == 4404
    assert late.closed is not None
    assert late.closed.code == 4404


async def test_closing_the_terminal_closes_the_channel(tmp_path: Path) -> None:
    async with opened(tmp_path) as (server, viewer):
        one = viewer("a")
        await one.open()
        await one.until(has_seed)
        assert (await server.request("DELETE", TERMINAL))[0] == 200
        await one.until(lambda _: False)

    assert one.closed is not None
    assert one.closed.code == 4404


@pytest.mark.parametrize(
    "path",
    [f"{PATH}/terminal_shell_other/attach", "/v1/sessions/conv_2/resources/terminals/x/attach", "/elsewhere"],
)
async def test_there_is_nothing_to_see_where_no_terminal_is(tmp_path: Path, path: str) -> None:
    async with opened(tmp_path) as (_, viewer):
        one = viewer("a")
        await one.open(path)
        await one.until(lambda _: False)

    assert one.closed == frames.WsClose(ch_id="a", code=4404, reason="no such terminal")


async def test_a_viewer_that_left_does_not_end_the_terminal(tmp_path: Path) -> None:
    async with opened(tmp_path) as (server, viewer):
        one = viewer("a")
        await one.open()
        await one.until(has_seed)
        await one.leave()
        again = viewer("c")
        await again.open()
        await again.until(has_seed)

        assert (await server.request("GET", TERMINAL))[1]["metadata"]["running"] is True
