"""One Ctrl-C ends a command that looks on, whoever started it and whichever thread is told of the signal."""

import asyncio
import io
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from omnigent_client.cli.main import run
from omnigent_client.cli.surroundings import Surroundings
from tests.cli.recorded import SESSION_ID
from tests.client.scripted_server import DONE, ScriptedServer, good
from tests.e2e.program import wait_for

SECONDS = 5
HEADERS = {"Content-Type": "text/event-stream"}
ROWS = good(data=[], has_more=False)
SNAPSHOT = good(id=SESSION_ID, agent_id="ag_1", status="idle", created_at=1)


class Quiet(httpx.AsyncByteStream):
    """A stream on which nothing happens until it ends; `interrupt` is called once it is being listened to."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._interrupt()
        await asyncio.sleep(SECONDS)
        yield DONE


def interrupt_ourselves() -> None:
    """As `kill -INT` does."""
    os.kill(os.getpid(), signal.SIGINT)


def interrupt_beside_the_sleeping_loop() -> None:
    """Another thread is told while this one waits in the selector, which nothing then interrupts."""
    loops_thread = threading.get_ident()

    def is_asleep() -> bool:
        code = sys._current_frames()[loops_thread].f_code  # where another thread is
        return (Path(code.co_filename).name, code.co_name) == ("selectors.py", "select")

    def interrupt() -> None:
        wait_for(is_asleep, seconds=SECONDS, what="the loop to sleep")
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    threading.Thread(target=interrupt, name="interrupting").start()


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["heard", "ignored"])
def disposition(request: pytest.FixtureRequest) -> Iterator[object]:
    """How the program finds SIGINT: as usual, or ignored as in `command &` of a script."""
    before = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("interrupt", [interrupt_ourselves, interrupt_beside_the_sleeping_loop])
def test_one_interrupt_ends_attach_at_once(
    disposition: object, interrupt: Callable[[], None], tmp_path: Path
) -> None:
    stream = httpx.Response(200, headers=HEADERS, stream=Quiet(interrupt))
    out, err = io.StringIO(), io.StringIO()
    around = Surroundings(
        environ={"HOME": str(tmp_path)},
        stdin=io.StringIO(),
        stdout=out,
        stderr=err,
        transport=ScriptedServer(ROWS, SNAPSHOT, stream),
    )
    started = time.monotonic()

    code = run(["attach", SESSION_ID], around)

    assert (code, err.getvalue()) == (130, "")
    assert time.monotonic() - started < SECONDS, "something else woke the loop"
    assert signal.getsignal(signal.SIGINT) is disposition
    assert signal.set_wakeup_fd(-1) == -1
