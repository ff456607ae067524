"""MCP servers that break, hang and start late; their end, and their secrets."""

import asyncio
import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.mcp.room import McpRoom
from omnigent.runner.tools.base import ToolError
from omnigent.spec.tooling import Retry
from tests.runner.fake_server import until
from tests.runner.mcp_rig import raw, session, stdio
from tests.runner.test_tools import is_alive

SECRET = "hunter2-hunter2"
SECONDS = 30.0


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"command": "no-such-command-anywhere"}, "its command was not found"),
        ({"args": ("-c", "raise SystemExit(7)")}, "it ended with exit code 7"),
        ({"args": ("-c", "import os; os.kill(os.getpid(), 9)")}, "it was killed by signal 9"),
        ({"transport": "registry"}, "this runner cannot reach servers of the transport registry"),
    ],
    ids=["no command", "exit", "signal", "registry"],
)
async def test_a_broken_server_costs_its_own_tools_only(
    tmp_path: Path, changes: dict[str, Any], fault: str
) -> None:
    broken = replace(stdio("broken"), retry=Retry(backoff_base_s=60), **changes)
    async with session(tmp_path, broken, stdio()) as mine:
        listing = await mine.listing()

    assert listing.faults == {"broken": fault}
    assert "t__echo" in listing.tools


async def test_a_server_that_crashes_is_started_again(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(env={"STARTS": str(tmp_path / "starts")})) as mine:
        with pytest.raises(ToolError, match="is down: it ended with exit code 3"):
            await mine.call("t__crash")

        assert await mine.call("t__echo", text="again") == "again"
    assert (tmp_path / "starts").read_text() == "start\n" * 2


async def test_a_server_that_fails_at_first_is_tried_again(tmp_path: Path) -> None:
    server = stdio(args=raw("second start"), env={"MARKER": str(tmp_path / "marker")})
    async with session(tmp_path, server) as mine:
        assert "t__plain" in (await mine.listing()).tools


async def test_a_server_that_never_starts_is_left_alone_until_it_is_wanted(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    script = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(1)"
    retry = Retry(max_retries=2, backoff_base_s=0.01, backoff_max_s=0.01, jitter=False)
    async with session(tmp_path, stdio(args=("-c", script), retry=retry)) as mine:
        first = await mine.listing()
        after_first = starts.read_text()
        second = await mine.listing()

    assert first.faults == second.faults == {"t": "it ended with exit code 1"}
    assert (after_first, starts.read_text()) == ("x" * 3, "x" * 4)


async def test_calls_of_a_server_that_is_down_say_so(tmp_path: Path) -> None:
    slow = Retry(backoff_base_s=600, backoff_max_s=600)
    async with session(tmp_path, stdio(retry=slow)) as mine:
        tools = (await mine.listing()).tools
        with pytest.raises(ToolError):
            await tools["t__crash"].run({}, mine.context)

        with pytest.raises(ToolError, match="the MCP server 't' is down: it ended with exit code 3"):
            await tools["t__echo"].run({"text": "x"}, mine.context)
        assert (await mine.listing()).faults == {"t": "it ended with exit code 3"}


# -- time --------------------------------------------------------------------------------------------


async def test_a_call_that_hangs_is_cancelled_after_its_time(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(timeout=3)) as mine:
        with pytest.raises(ToolError, match="said nothing for 3 s"):
            await mine.call("t__hang", file=str(tmp_path / "state"))

        await until(lambda: (tmp_path / "state").read_text() == "cancelled", SECONDS)
        assert await mine.call("t__echo", text="still here") == "still here"


async def test_a_cancelled_call_is_cancelled_at_the_server(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with session(tmp_path, stdio()) as mine:
        call = asyncio.create_task(mine.call("t__hang", file=str(state)))
        await until(lambda: state.exists() and state.read_text() == "started", SECONDS)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

        await until(lambda: state.read_text() == "cancelled", SECONDS)


async def test_progress_is_a_sign_of_life(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(timeout=4)) as mine:
        assert await mine.call("t__slow", seconds=6) == "at last"


async def test_a_slow_server_is_ready_for_a_later_turn(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    server = stdio(args=raw("waits for file"), env={"MARKER": str(marker)})
    async with session(tmp_path, server) as mine:
        listing = asyncio.create_task(mine.listing())
        await asyncio.sleep(0)
        marker.touch()
        assert "t__plain" in (await listing).tools


# -- sharing and ending ------------------------------------------------------------------------------


async def test_sessions_with_the_same_server_share_it(tmp_path: Path) -> None:
    async with session(tmp_path, stdio()) as one:
        other = replace(
            one.context, session_id="conv_2", rooms=type(one.context.rooms)(one.context.rooms.home)
        )
        first = (await one.call("t__where")).split()[-1]
        listing = await other.rooms.of(McpRoom).listing(other)
        second = (await listing.tools["t__where"].run({}, other)).split()[-1]
        await other.rooms.close()

        assert first == second
        assert is_alive(int(first))
    assert not is_alive(int(first))


async def test_a_server_ends_with_its_session_and_takes_its_children_along(tmp_path: Path) -> None:
    async with session(tmp_path, stdio()) as mine:
        child = int(await mine.call("t__spawn", file=str(tmp_path / "child")))
        server = int((await mine.call("t__where")).split()[-1])
        assert is_alive(child)

    await until(lambda: not is_alive(child) and not is_alive(server), SECONDS)


async def test_a_child_out_of_reach_holds_neither_the_restart_nor_the_end(tmp_path: Path) -> None:
    """It left the group and keeps the pipes of the server open."""
    async with session(tmp_path, stdio(timeout=20)) as mine:
        child = int(await mine.call("t__spawn", file=str(tmp_path / "child"), leaves=True))
        with pytest.raises(ToolError, match="is down: it ended with exit code 3"):
            await mine.call("t__crash")
        assert await mine.call("t__echo", text="again") == "again"

    os.kill(child, signal.SIGKILL)


async def test_a_server_that_the_agent_has_no_more_is_ended(tmp_path: Path) -> None:
    async with session(tmp_path, stdio()) as mine:
        server = int((await mine.call("t__where")).split()[-1])
        bare = replace(mine.context, spec=replace(mine.context.spec, mcp_servers=()))

        assert (await mine.context.rooms.of(McpRoom).listing(bare)).tools == {}
        await until(lambda: not is_alive(server), SECONDS)


# -- variables and secrets ---------------------------------------------------------------------------


async def test_variables_of_an_operators_agent_are_expanded(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "TOKEN": "from-here"}
    server = stdio(env={"OWN": "${TOKEN}!"})
    async with session(tmp_path, server, environment=environment, is_operators=True) as mine:
        assert await mine.call("t__variable", name="OWN") == "from-here!"


async def test_variables_of_anybody_elses_agent_stay_as_they_are(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "TOKEN": "from-here"}
    async with session(tmp_path, stdio(env={"OWN": "${TOKEN}!"}), environment=environment) as mine:
        assert await mine.call("t__variable", name="OWN") == "${TOKEN}!"


async def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    server = stdio("broken", env={"OWN": "${NOT_SET_ANYWHERE}"})
    async with session(tmp_path, server, stdio(), is_operators=True) as mine:
        listing = await mine.listing()

    assert "NOT_SET_ANYWHERE is not set" in listing.faults["broken"]
    assert "t__echo" in listing.tools


async def test_secrets_are_in_no_log_and_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="omnigent.runner.mcp")
    failing = stdio("failing", args=raw("no start"), env={"SECRET": SECRET}, retry=Retry(backoff_base_s=60))
    async with session(tmp_path, stdio(env={"SECRET": SECRET}), failing) as mine:
        listing = await mine.listing()
        said = [*listing.faults.values()]
        for name in ("fail", "crash"):
            with pytest.raises(ToolError) as failed:
                await mine.call(f"t__{name}")
            said.append(str(failed.value))

    told = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    assert said[0] == "it ended with exit code 7"
    assert any("the password is [REDACTED]" in line for line in told)
    assert not [line for line in (*told, *said) if SECRET in line]
