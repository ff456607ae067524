"""Functions that an agent brings: what they answer, and everything that they may do wrong."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.tools.base import ToolError
from tests.runner.fake_server import until
from tests.runner.function_rig import Opener, sessions
from tests.runner.test_tools import is_alive

SECONDS = 30.0


@pytest.fixture
async def open_session(tmp_path: Path) -> AsyncIterator[Opener]:
    async with sessions(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ("return 'héllo'", "héllo"),
        ("return 3", "3"),
        ("return None", "null"),
        ("return {'a': [1, None, 'ü']}", '{"a": [1, null, "ü"]}'),
        ("return b'\\x00\\xff'", "[binary: 2 bytes]"),
        ("return 'a\\x00b'", "a\x00b"),
        ("return object", "\"<class 'object'>\""),
        ("print('noise'); return 'quiet'", "quiet"),
        ("import os; os.write(1, b'{\"output\": 1}'); return 'mine'", "mine"),
        ("import os; return os.getcwd()", "DIRECTORY"),
        ("import sys; return sys.stdin.read()", ""),
        ("import os; return os.environ.get('OPENAI_API_KEY')", "null"),
    ],
    ids=[
        "text", "number", "none", "object", "bytes", "control character", "no JSON", "prints",
        "forges an answer",
        "workspace", "no input", "no secrets",
    ],
)  # fmt: skip
async def test_a_result_is_text(open_session: Opener, tmp_path: Path, body: str, output: str) -> None:
    answer = await open_session(f"def tool():\n    {body}").call("tool")

    assert answer == output.replace("DIRECTORY", str(tmp_path.resolve()))


async def test_an_asynchronous_function_is_awaited(open_session: Opener) -> None:
    code = "import asyncio\nasync def tool(a: int):\n    await asyncio.sleep(0)\n    return a + 1"

    assert await open_session(code).call("tool", a=1) == "2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "'a' is a required property"),
        ({"a": "three"}, "arguments.a: 'three' is not of type 'integer'"),
        ({"a": 1, "b": 2}, "'b' was unexpected"),
        ({"a": True}, "not of type 'integer'"),
    ],
    ids=["missing", "wrong type", "unknown", "a boolean is no integer"],
)
async def test_arguments_are_checked_first(
    open_session: Opener, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    mine = open_session("def tool(a: int):\n    open('ran', 'w')")

    with pytest.raises(ToolError, match=words):
        await mine.call("tool", **arguments)
    assert not (tmp_path / "ran").exists()


# -- what may go wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('not today')", "^ValueError: not today$"),
        ("raise KeyError", "^KeyError: "),
        ("raise SystemExit(4)", "^SystemExit: 4$"),
        ("raise KeyboardInterrupt", "^KeyboardInterrupt: $"),
        ("raise ValueError('x' * 1_000_000)", r"^ValueError: x{4000,4100}$"),
        ("import os; print('oh'); os.sys.stdout.flush(); os._exit(3)", "(?s)without a result.*oh"),
        ("import os; os.kill(os.getpid(), 9)", "without a result"),
        ("import ctypes; ctypes.string_at(0)", "without a result"),
        ("return tool()", "RecursionError"),
    ],
    ids=["exception", "no words", "exit", "interrupt", "long", "hard exit", "killed", "crash", "recursion"],
)
async def test_a_failure_is_told_and_the_next_call_works(open_session: Opener, body: str, words: str) -> None:
    mine = open_session(f"def tool():\n    {body}\ndef fine():\n    return 'fine'")

    with pytest.raises(ToolError, match=words):
        await mine.call("tool")
    assert await mine.call("fine") == "fine"


async def test_a_function_that_hangs_is_ended(open_session: Opener, tmp_path: Path) -> None:
    code = """
        import os, signal, time
        def tool():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            open('pid', 'w').write(str(os.getpid()))
            time.sleep(600)
    """
    with pytest.raises(ToolError, match="took longer than 3 s"):
        await open_session(code, timeout=3).call("tool")

    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not is_alive(pid), SECONDS)


async def test_a_cancelled_call_is_ended(open_session: Opener, tmp_path: Path) -> None:
    code = """
        import os, time
        def tool():
            open('pid', 'w').write(f'{os.getpid()} ')
            time.sleep(600)
    """
    pid = tmp_path / "pid"
    running_call = asyncio.create_task(open_session(code).call("tool"))
    await until(lambda: pid.exists() and pid.read_text().endswith(" "), SECONDS)
    running_call.cancel()
    await asyncio.gather(running_call, return_exceptions=True)

    await until(lambda: not is_alive(int(pid.read_text())), SECONDS)


async def test_a_process_that_outlives_its_worker_holds_up_nobody(
    open_session: Opener, tmp_path: Path
) -> None:
    code = """
        import os, signal, time
        def tool():
            worker = os.getppid()
            if os.fork() == 0:
                os.setsid()
                open('pid', 'w').write(f'{os.getpid()} ')
                for pid in (os.getppid(), worker):
                    os.kill(pid, signal.SIGKILL)
                time.sleep(600)
            time.sleep(600)
    """
    mine = open_session(code)
    try:
        with pytest.raises(ToolError, match="signal 9"):
            await asyncio.wait_for(mine.call("tool"), SECONDS)
    finally:
        pid = int((tmp_path / "pid").read_text())
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("session", ["same", "own"])
async def test_processes_that_a_function_leaves_behind_are_ended(
    open_session: Opener, tmp_path: Path, session: str
) -> None:
    code = f"""
        import os, time
        def tool():
            if os.fork() == 0:
                if {session!r} == 'own':
                    os.setsid()
                if os.fork() == 0:
                    open('pid', 'w').write(str(os.getpid()) + ' ')
                time.sleep(600)
            while not os.path.exists('pid') or not open('pid').read().endswith(' '):
                time.sleep(0.01)
            return 'left'
    """
    assert await open_session(code).call("tool") == "left"

    await until(lambda: not is_alive(int((tmp_path / "pid").read_text())), SECONDS)


async def test_a_function_that_forks_without_end_is_ended_with_all_of_them(
    open_session: Opener, tmp_path: Path
) -> None:
    """The bomb of the test stops at a number of its own: root is bound by the time-out alone."""
    code = """
        import os, time
        def tool():
            for _ in range(7):
                os.fork()
            open(f'pids', 'a').write(f'{os.getpid()} ')
            time.sleep(600)
    """
    pids = tmp_path / "pids"
    with pytest.raises(ToolError, match="took longer"):
        await open_session(code, timeout=5).call("tool")

    known = [int(pid) for pid in pids.read_text().split()]
    assert len(known) > 100
    await until(lambda: not any(is_alive(pid) for pid in known), SECONDS)


@pytest.mark.parametrize(
    ("body", "length"),
    [
        ("return 'x' * 50_000_000", 1_048_576 + 40),
        ("import sys; sys.stdout.write('x' * 50_000_000); return 'ok'", 2),
    ],
    ids=["result", "output"],
)
async def test_a_flood_is_bounded(open_session: Opener, body: str, length: int) -> None:
    assert len(await open_session(f"def tool():\n    {body}").call("tool")) <= length


async def test_memory_is_bounded(open_session: Opener) -> None:
    with pytest.raises(ToolError, match="MemoryError"):
        await open_session("def tool():\n    return len(bytearray(6 * 1024**3))").call("tool")


async def test_the_code_of_an_agent_leaves_with_its_session(open_session: Opener) -> None:
    mine = open_session("def tool():\n    return __file__")
    file = Path(await mine.call("tool"))
    assert file.exists()

    await mine.context.rooms.close()

    assert not file.exists()
