"""Terminals: a program on a screen, in the real tmux."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from omnigent.protocol.events import SessionResourceCreated, SessionResourceDeleted
from omnigent.runner.rooms import Home
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.keys import keys_of
from omnigent.runner.terminals.pane import Pane, Size
from omnigent.runner.terminals.places import new_place
from omnigent.runner.terminals.room import Options, Terminals
from tests.runner.fake_server import until
from tests.runner.tool_rig import tool_context

pytestmark = pytest.mark.terminal

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "GREETING": "good day"}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    context = tool_context(tmp_path, environment=ENVIRONMENT)
    yield context.rooms.home
    await context.rooms.close()
    context.reaper.close()


@pytest.fixture
async def terminals(home: Home) -> AsyncIterator[Terminals]:
    room = Terminals(home)
    yield room
    await room.close()


async def launch(room: Terminals, script: str, cwd: Path, **given: Any) -> Pane:
    """A terminal in which the shell runs a script."""
    return await room.launch("shell", ["/bin/bash", "--norc", "-c", script], cwd, ENVIRONMENT, **given)


async def shows(pane: Pane, text: str, scrollback: int = 0) -> str:
    """The screen, once this text is on it."""
    async with asyncio.timeout(20):
        while text not in await pane.screen(scrollback):  # noqa: ASYNC110 - nobody tells when a screen changes
            await asyncio.sleep(0.02)
    return await pane.screen(scrollback)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def events(home: Home, count: int) -> list[dict[str, Any]]:
    """The next so many things that the session was told."""
    told: list[dict[str, Any]] = []
    stream = home.uplink.subscribe(acknowledges=False)
    async with asyncio.timeout(20):
        while len(told) < count:
            rows = (await anext(stream)).decode().split("\n\n")
            told += [orjson.loads(row.removeprefix("data: ")) for row in rows if row.startswith("data: ")]
            told = [event for event in told if event["type"] != "session.heartbeat"]
    await stream.aclose()
    return told


async def test_a_program_reads_what_is_typed_and_shows_what_it_says(
    terminals: Terminals, tmp_path: Path
) -> None:
    pane = await launch(
        terminals, 'read -r line; echo "read: $line"; echo "$GREETING $PWD"; sleep 600', tmp_path
    )

    await pane.type("größer 'than' $this; # -- 你好")
    await pane.press("Enter")

    screen = await shows(pane, "read: größer 'than' $this; # -- 你好")
    assert f"good day {tmp_path}" in screen.replace("\n", "")
    assert not pane.exited


async def test_a_long_text_arrives_whole_and_in_order(terminals: Terminals, tmp_path: Path) -> None:
    text = "".join(f"{number:06d}\n" for number in range(2000))
    pane = await launch(
        terminals, "stty -echo; echo ready; head -c 14000 > got; echo done; sleep 600", tmp_path
    )
    await shows(pane, "ready")

    await asyncio.gather(pane.type(text[:7000]), pane.type(text[7000:]))

    await shows(pane, "done")
    assert (tmp_path / "got").read_text() == text


async def test_lines_that_left_the_screen_are_read_with_scrollback(
    terminals: Terminals, tmp_path: Path
) -> None:
    pane = await launch(terminals, "seq 1 200; echo end; sleep 600", tmp_path, size=Size(80, 10))
    await shows(pane, "end")

    assert (await pane.screen()).split()[0] == "193"
    assert (await pane.screen(50)).split()[0] == "143"
    assert (await pane.screen(100000)).split()[0] == "1"


async def test_scrollback_has_a_limit(terminals: Terminals, tmp_path: Path) -> None:
    pane = await launch(
        terminals,
        "seq 1 3000; echo end; sleep 600",
        tmp_path,
        options=Options(scrollback=100),
        size=Size(80, 10),
    )
    await shows(pane, "end")

    assert len((await pane.screen(100000)).split()) <= 120


async def test_keys_reach_the_program(terminals: Terminals, tmp_path: Path) -> None:
    pane = await launch(
        terminals, "trap 'echo interrupted' INT; echo ready; while :; do read -r; done", tmp_path
    )
    await shows(pane, "ready")

    await pane.press("C-c")

    await shows(pane, "interrupted")


async def test_a_pasted_text_is_one_piece_to_a_program_that_knows_pastes(
    terminals: Terminals, tmp_path: Path
) -> None:
    script = r"printf '\e[?2004h'; stty raw -echo; echo ready; head -c 24 > got; echo done; sleep 600"
    pane = await launch(terminals, script, tmp_path)
    await shows(pane, "ready")

    await pane.paste("one\n\x1b[201~two")

    await shows(pane, "done")
    assert (tmp_path / "got").read_bytes() == b"\x1b[200~one\r[201~two\x1b[201~"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Enter", ["Enter"]),
        ("Down  C-c x", ["Down", "C-c", "x"]),
        ("Esc Return", ["Escape", "Enter"]),
        ("", []),
    ],
)
def test_keys_have_names(text: str, expected: list[str]) -> None:
    assert keys_of(text) == expected


@pytest.mark.parametrize("text", ["Entre", "-t", "C-", "C-Enterr", "\x1b"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(TerminalError, match="is no key"):
        keys_of(text)


async def test_an_end_is_noticed_and_the_terminal_goes(
    home: Home, terminals: Terminals, tmp_path: Path
) -> None:
    pane = await launch(terminals, "echo last words; read -r; exit 3", tmp_path)
    await shows(pane, "last words")

    await pane.press("Enter")

    assert await asyncio.wait_for(pane.wait(), 20) == 3
    await until(lambda: terminals.all() == [])
    assert "last words" in await pane.screen()
    with pytest.raises(TerminalError, match="has ended"):
        await pane.type("x")
    told = await events(home, 2)
    assert [event["type"] for event in told] == [SessionResourceCreated.type, SessionResourceDeleted.type]
    assert told[0]["resource"]["id"] == told[1]["resource_id"] == "terminal_shell_main"
    assert told[0]["resource"]["metadata"]["running"] is True


async def test_a_kept_terminal_can_be_read_after_its_end(terminals: Terminals, tmp_path: Path) -> None:
    pane = await launch(terminals, "echo result; kill -9 $$", tmp_path, options=Options(keep=True))

    assert await asyncio.wait_for(pane.wait(), 20) == 137

    assert "result" in await pane.screen()
    assert terminals.all() == [pane]
    assert pane.resource()["metadata"] == {
        "terminal_name": "shell",
        "session_key": "main",
        "running": False,
        "exit_status": 137,
        "started_at": pane.started_at,
    }


async def test_a_name_and_key_are_taken_while_their_program_runs(
    terminals: Terminals, tmp_path: Path
) -> None:
    first = await launch(terminals, "sleep 600", tmp_path)
    with pytest.raises(TerminalError, match="open already"):
        await launch(terminals, "sleep 600", tmp_path)
    other = await launch(terminals, "sleep 600", tmp_path, key="other")

    assert terminals.all() == [first, other]
    assert terminals.find("shell") is first
    assert terminals.get("terminal_shell_other") is other


@pytest.mark.parametrize("key", ["", "a b", "../x", "a" * 65, "x:y"])
async def test_a_key_is_a_plain_word(terminals: Terminals, tmp_path: Path, key: str) -> None:
    with pytest.raises(TerminalError, match="letters"):
        await launch(terminals, "true", tmp_path, key=key)


async def test_a_program_that_does_not_exist_says_so_on_its_screen(
    terminals: Terminals, tmp_path: Path
) -> None:
    pane = await terminals.launch(
        "shell", ["/no/such/program"], tmp_path, ENVIRONMENT, options=Options(keep=True)
    )

    assert await asyncio.wait_for(pane.wait(), 20) == 1
    assert "/no/such/program: No such file or directory" in await pane.screen()


async def test_a_program_gets_its_environment_and_nothing_else(terminals: Terminals, tmp_path: Path) -> None:
    pane = await terminals.launch(
        "shell", ["/usr/bin/env"], tmp_path, {"ONLY": "this"}, options=Options(keep=True)
    )
    await asyncio.wait_for(pane.wait(), 20)

    assert (await pane.screen()).split() == ["ONLY=this", "TERM=screen-256color"]


async def test_closing_ends_what_ignores_the_hangup(terminals: Terminals, tmp_path: Path) -> None:
    script = (
        "trap '' HUP; echo $$ > pid; nohup sleep 600 & echo $! > other; echo ready; while :; do sleep 1; done"
    )
    pane = await launch(terminals, script, tmp_path)
    await shows(pane, "ready")
    pids = [int((tmp_path / name).read_text()) for name in ("pid", "other")]

    await terminals.end(pane)

    await until(lambda: not any(is_alive(pid) for pid in pids))
    assert terminals.all() == []


async def test_closing_the_room_ends_what_left_its_terminal(terminals: Terminals, tmp_path: Path) -> None:
    stubborn = "trap '' HUP TERM; echo $$ > pid; while :; do sleep 1; done"
    script = f'setsid -f bash -c "{stubborn.replace("$", chr(92) + "$")}"; echo ready; sleep 600'
    pane = await launch(terminals, script, tmp_path)
    await shows(pane, "ready")
    await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
    place = pane.server.place.directory

    await terminals.close()

    assert not is_alive(int((tmp_path / "pid").read_text()))
    assert not place.exists()
    assert pane.exited


_RUNNER = """
import asyncio, pathlib, sys
from omnigent.runner.terminals.room import Terminals
from tests.runner.tool_rig import tool_context

async def main():
    paths = {"PATH": "/usr/bin:/bin"}
    home = tool_context(pathlib.Path(sys.argv[1]), environment=paths).rooms.home
    script = "echo $$ > pid; setsid -f sh -c 'echo $$ > escaped; exec sleep 600'; sleep 600"
    pane = await Terminals(home).launch("shell", ["/bin/sh", "-c", script], sys.argv[1], paths)
    pathlib.Path(sys.argv[1], "place").write_text(str(pane.server.place.directory))
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_terminals_die_with_their_runner(tmp_path: Path) -> None:
    runner = await asyncio.create_subprocess_exec(sys.executable, "-c", _RUNNER, str(tmp_path))
    names = ("pid", "escaped", "place")
    await until(
        lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in names), 30
    )
    pids = [int((tmp_path / name).read_text()) for name in ("pid", "escaped")]
    assert all(is_alive(pid) for pid in pids)

    runner.send_signal(signal.SIGKILL)
    await runner.wait()

    await until(lambda: not any(is_alive(pid) for pid in pids), 30)


@pytest.fixture
def shallow() -> Iterator[Path]:
    """A directory in which a socket can have an address, which pytest's own may be too deep for."""
    with tempfile.TemporaryDirectory(prefix="terminals-", dir="/tmp") as directory:
        yield Path(directory)


async def test_a_server_without_an_owner_is_ended_at_the_next_start(shallow: Path) -> None:
    left = new_place(shallow)
    tmux = await asyncio.create_subprocess_exec(
        *("tmux", "-D", "-S", str(left.socket), "-f", "/dev/null"),
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    await until(left.socket.exists)
    kept = new_place(shallow)
    assert tmux.returncode is None

    os.close(left.lock)
    newest = new_place(shallow)

    await asyncio.wait_for(tmux.wait(), 20)
    assert not left.directory.exists()
    assert kept.directory.exists()
    for place in (kept, newest):
        os.close(place.lock)


def test_a_deep_directory_for_temporary_files_is_not_used(tmp_path: Path) -> None:
    place = new_place(tmp_path / ("deep" * 20))

    assert len(os.fsencode(place.socket)) < 100
    shutil.rmtree(place.directory)
    os.close(place.lock)


async def test_a_machine_without_tmux_is_told(tmp_path: Path) -> None:
    context = tool_context(tmp_path, environment={"PATH": str(tmp_path)})
    room = context.rooms.of(Terminals)

    with pytest.raises(TerminalError, match="need tmux, which is not installed"):
        await room.launch("shell", ["/bin/sh"], tmp_path, {})

    await context.rooms.close()
    context.reaper.close()
