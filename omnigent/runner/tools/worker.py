"""One process for one request in JSON: bounded in time and output, and swept up after."""

import asyncio
import contextlib
import json
import logging
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from omnigent.runner.sandbox.entry import Entry
from omnigent.runner.tools.base import ToolError
from omnigent.runner.tools.capture import Capture
from omnigent.runner.tools.child import Child
from omnigent.runner.tools.reaper import Reaper, kill_group

log = logging.getLogger(__name__)

MOST_ANSWER: Final = 8 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_SHOWN: Final = 2000
_TERM_GRACE: Final = 2.0
_PIPE_GRACE: Final = 0.5


async def answer_of(
    request: Mapping[str, Any],
    entry: Entry,
    reaper: Reaper,
    *,
    seconds: float,
    name: str,
    descriptors: Sequence[int] = (),
) -> dict[str, Any]:
    """The worker's answer. Raises ToolError when there is none; what it printed is then part of the words,
    and `name` says who is to blame. It inherits `descriptors` under the same numbers.
    """
    try:
        with entry.opened() as (line, own):
            passed = (*own, *descriptors)
            child = await Child.start(*line, cwd=entry.directory, env=entry.environment, pass_fds=passed)
    except (OSError, ValueError) as exc:
        raise ToolError(f"the {name} cannot be started: {exc}") from exc
    process = child.process
    # The worker waits for its request, which comes after its group is registered.
    reaper.register(process.pid)
    answer = bytearray()
    printed = Capture(_SHOWN)
    reading = [
        asyncio.create_task(_read_answer(process, answer), name="worker-answer"),
        asyncio.create_task(_read_printed(process, printed), name="worker-output"),
    ]
    timed_out = False
    try:
        async with asyncio.timeout(seconds):
            await _send(process, json.dumps(request).encode())
            await child.exited.wait()
    except TimeoutError:
        timed_out = True
    finally:
        await asyncio.shield(asyncio.create_task(_finish(child, reading, reaper)))
    log.debug("worker ended", extra={"exit_code": process.returncode, "printed": printed.text()})
    if timed_out:
        raise ToolError(f"the {name} took longer than {seconds:g} s and was ended{_after(printed)}")
    try:
        found = orjson.loads(bytes(answer))
    except orjson.JSONDecodeError:
        raise ToolError(
            f"the {name} {_ending(process.returncode)} without a result{_after(printed)}"
        ) from None
    assert isinstance(found, dict)
    return found


async def _send(process: Process, data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _read_answer(process: Process, answer: bytearray) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(_CHUNK):
        if len(answer) <= MOST_ANSWER:
            answer += data


async def _read_printed(process: Process, printed: Capture) -> None:
    assert process.stderr is not None
    while data := await process.stderr.read(_CHUNK):
        printed.feed(data)


async def _finish(child: Child, reading: list[asyncio.Task[None]], reaper: Reaper) -> None:
    """The worker is asked to sweep first: it also reaches what has left its process group."""
    process = child.process
    if not child.exited.is_set():
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await child.gone(_TERM_GRACE)
    kill_group(process.pid, signal.SIGKILL)
    await child.exited.wait()
    await asyncio.wait(reading, timeout=_PIPE_GRACE)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    child.close()
    reaper.release(process.pid)


def _ending(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"was killed by signal {-returncode}"
    return f"ended its process with exit code {returncode}"


def _after(printed: Capture) -> str:
    text = printed.text().strip()
    return f"; it printed:\n{text}" if text else ""
