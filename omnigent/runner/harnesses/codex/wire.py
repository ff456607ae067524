"""A running `codex app-server`: JSON-RPC in lines over its standard streams."""

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

_LONGEST_LINE: Final = 64 * 1024 * 1024
_TAIL_LINES: Final = 20
_TAIL_CHARACTERS: Final = 600
_LEAVING_SECONDS: Final = 3.0
METHOD_NOT_FOUND: Final = -32601


class Gone(Exception):
    """The program has ended, or does not answer any more; the message says what it said last."""


class Refused(Exception):
    """The program answered a request with an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A notification of the program, or with a `request_id` a question that has to be answered."""

    method: str
    params: Mapping[str, Any]
    request_id: str | int | None = None


class Wire:
    """One process. `inbox` holds what it says by itself, in order, and None at its end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.inbox: asyncio.Queue[Incoming | None] = asyncio.Queue()
        self._process = process
        self._answers: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._last_id = 0
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._ended = False
        self._tasks = [
            asyncio.create_task(self._read(), name="codex-read"),
            asyncio.create_task(self._read_errors(), name="codex-stderr"),
            asyncio.create_task(self._watch(), name="codex-watch"),
        ]

    @classmethod
    async def open(cls, command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Self:
        """Start the program in a process group of its own; raises Gone when it cannot be started."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(environment),
                cwd=cwd,
                limit=_LONGEST_LINE,
                start_new_session=True,
            )
        except OSError as problem:
            raise Gone(str(problem)) from problem
        return cls(process)

    @property
    def is_open(self) -> bool:
        return not self._ended

    @property
    def group(self) -> int:
        """The id of the process group, which is that of its first process."""
        return self._process.pid

    async def call(self, method: str, params: Mapping[str, Any], *, seconds: float) -> Mapping[str, Any]:
        """The result of a request; raises Refused or Gone."""
        self._last_id += 1
        number = self._last_id
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"id": number, "method": method, "params": params})
            async with asyncio.timeout(seconds):
                message = await answer
        except TimeoutError:
            raise Gone(f"no answer to {method} within {seconds:g} s{self.said()}") from None
        finally:
            self._answers.pop(number, None)
        if "error" in message:
            error = message["error"]
            raise Refused(str(error.get("message") if isinstance(error, Mapping) else error))
        result = message.get("result")
        return result if isinstance(result, Mapping) else {}

    async def notify(self, method: str) -> None:
        await self._send({"method": method})

    async def answer(self, question: Incoming, result: Mapping[str, Any]) -> None:
        await self._send({"id": question.request_id, "result": result})

    async def refuse(self, question: Incoming) -> None:
        """Tell that a question has no answer here."""
        error = {"code": METHOD_NOT_FOUND, "message": "this client cannot answer that"}
        await self._send({"id": question.request_id, "error": error})

    def said(self) -> str:
        """What the program wrote last on its standard error, as the end of a sentence."""
        text = "\n".join(self._tail).strip()[-_TAIL_CHARACTERS:]
        return f": {text}" if text else ""

    def kill(self) -> None:
        """End it and everything in its process group now."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)

    async def close(self) -> None:
        """Let it leave, and kill it when it does not; its commands end with it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEAVING_SECONDS):
                    await self._process.wait()
        finally:
            self.kill()
            await self._process.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._end()

    async def _send(self, message: Mapping[str, Any]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(message).encode() + b"\n")
            await stdin.drain()
        except (ConnectionError, RuntimeError) as problem:
            raise Gone(f"the program has ended{self.said()}") from problem

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            async for line in stdout:
                self._take(line)
        except ValueError as problem:
            self._tail.append(f"a line that cannot be read: {problem}")
            self.kill()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            self._tail.append(line.decode(errors="replace").strip())
            return
        if not isinstance(message, Mapping):
            return
        number, method = message.get("id"), message.get("method")
        if isinstance(method, str):
            params = message.get("params")
            self.inbox.put_nowait(
                Incoming(
                    method=method, params=params if isinstance(params, Mapping) else {}, request_id=number
                )
            )
        elif isinstance(number, int) and number in self._answers and not self._answers[number].done():
            self._answers[number].set_result(message)

    async def _read_errors(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        with contextlib.suppress(ValueError):
            async for line in stderr:
                self._tail.append(line.decode(errors="replace").strip())

    async def _watch(self) -> None:
        # What it said before its end is read to the end first; a child that outlives it would hold the pipes.
        await self._process.wait()
        self.kill()
        await asyncio.wait(self._tasks[:2], timeout=_LEAVING_SECONDS)
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Gone(f"the program has ended{self.said()}"))
        self.inbox.put_nowait(None)
