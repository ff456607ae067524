"""`attach`, `send` and `interrupt`: being heard in a session."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from omnigent_client.cli.commands.rooms import enter
from omnigent_client.cli.exits import INTERRUPTED, OK
from omnigent_client.cli.finding import find_session
from omnigent_client.cli.live.drawing import Painter
from omnigent_client.cli.live.entries import Said
from omnigent_client.cli.safe_text import clean_line
from omnigent_client.cli.screen import Screen
from omnigent_client.cli.task import Task
from omnigent_client.client import OmnigentClient
from omnigent_client.errors import TurnDenied, TurnError
from omnigent_client.events import Event
from omnigent_client.events.response import ElicitationRequest
from omnigent_client.turns.callbacks import approval_of


async def attach(task: Task) -> int:
    """Follow a session live."""
    async with task.open_client(for_ever=True) as client:
        return await enter(task, client, await find_session(client, task.options.session))


async def interrupt(task: Task) -> int:
    """Cancel the running turn; nothing happens when none runs."""
    async with task.open_client() as client:
        await client.sessions.interrupt(await find_session(client, task.options.session))
    return OK


async def send(task: Task) -> int:
    """One turn. Ctrl-C interrupts it, a second one leaves at once."""
    text = task.message_text(task.options.text)
    async with task.open_client() as client:
        session_id = await find_session(client, task.options.session)
        if task.options.no_wait:
            receipt = await client.sessions.send_message(session_id, text)
            if receipt.denied:
                raise TurnDenied(receipt.reason or "a policy refused the message")
            return OK
        turn = client.send(
            session_id, text, on_event=_Notice(task.screen, session_id), within=task.options.within
        )
        try:
            answer = await _interruptible(turn, client, session_id, task.screen)
        except TurnError as error:
            _print(task.screen, error.text)
            raise
        if answer is None:
            return INTERRUPTED
        _print(task.screen, answer)
    return OK


class _Notice:
    """Says on the side that the turn waits for a person."""

    def __init__(self, screen: Screen, session_id: str) -> None:
        self._screen = screen
        self._session_id = session_id

    async def __call__(self, event: Event) -> None:
        if isinstance(event, ElicitationRequest):
            approval = approval_of(event, self._session_id)
            what = clean_line(f"{approval.message} {approval.content_preview or ''}", longest=200)
            self._screen.tell(
                f"Waits for an approval: {what} (answer with: omnigent attach {self._session_id})"
            )


async def _interruptible(
    turn: Coroutine[Any, Any, str], client: OmnigentClient, session_id: str, screen: Screen
) -> str | None:
    """The turn's answer; None when the person did not want to wait any longer."""
    loop = asyncio.get_running_loop()
    waiting = asyncio.ensure_future(turn)
    asked: list[asyncio.Task[object]] = []

    def on_interrupt() -> None:
        if asked:
            waiting.cancel()
            return
        screen.tell("Interrupting; Ctrl-C again leaves at once.")
        asked.append(asyncio.ensure_future(client.sessions.interrupt(session_id)))

    loop.add_signal_handler(signal.SIGINT, on_interrupt)
    try:
        with suppress(asyncio.CancelledError):
            return await waiting
        return None
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        await asyncio.gather(*asked, return_exceptions=True)


def _print(screen: Screen, text: str) -> None:
    if text:
        Painter(screen, is_whole=True).paint([Said(role="assistant", text=text.rstrip("\n"))])
