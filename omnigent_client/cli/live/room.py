"""A session with a person in it: events come in, lines go out, questions are answered."""

import asyncio
import json
import uuid
from collections.abc import Coroutine
from typing import Any, Final, TextIO, cast

from prompt_toolkit.patch_stdout import StdoutProxy

from omnigent_client.cli.exits import INTERRUPTED, OK, line_of
from omnigent_client.cli.live.desk import Desk
from omnigent_client.cli.live.drawing import Painter
from omnigent_client.cli.live.entries import Entry, Note
from omnigent_client.cli.live.view import SessionView
from omnigent_client.cli.screen import Screen
from omnigent_client.cli.surroundings import Surroundings
from omnigent_client.client import OmnigentClient
from omnigent_client.errors import NotFoundError, OmnigentError
from omnigent_client.events.session import StreamReset
from omnigent_client.resources.session_inputs import message_event
from omnigent_client.streaming.stream import EventStream
from omnigent_client.turns.callbacks import Approval, Verdict

VERDICTS: Final = {
    "y": Verdict(action="accept"),
    "yes": Verdict(action="accept"),
    "n": Verdict(action="decline"),
    "no": Verdict(action="decline"),
    "c": Verdict(action="cancel"),
    "cancel": Verdict(action="cancel"),
}
LAST_WORDS_SECONDS: Final = 5.0
BETWEEN_WRITES_SECONDS: Final = 0.02
"""So that a question is read before the prompt asks for its answer."""


class Room:
    """Lines are messages, which steer a running turn; while something is asked, y, n and c answer it.

    Ctrl-C interrupts the turn; a second one before the next message or turn leaves, as Ctrl-D does.
    """

    def __init__(
        self, client: OmnigentClient, surroundings: Surroundings, screen: Screen, session_id: str
    ) -> None:
        self._client = client
        self._surroundings = surroundings
        self._screen = screen
        self._session_id = session_id
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_order = asyncio.Lock()
        self._was_interrupted = False
        self._code = OK

    async def stay(self, first: str | None) -> int:
        """The exit code, once the person leaves or the session ends. Raises what a stream raises."""
        session = await self._client.sessions.get(self._session_id)
        self._view = SessionView(session)
        with StdoutProxy(raw=True, sleep_between_writes=BETWEEN_WRITES_SECONDS) as above:
            # Whatever is drawn from here on goes above the prompt. The proxy is a text stream but in name.
            stdout = cast(TextIO, above)
            self._screen = Screen(stdout, self._surroundings.stderr, self._surroundings.environ)
            self._painter = Painter(self._screen)
            self._desk = Desk(self._screen, self._view, self._interrupt)
            # A first line also keeps the prompt off the top row, whose erasure some terminals put on record.
            self._show(Note(text=f"{session.id} with {session.agent_name or session.agent_id}"))
            for item in session.items:
                self._painter.paint(self._view.add(item))
            self._painter.paint(self._view.asked_before(session))
            async with self._client.stream(self._session_id, after=session.resume_after) as stream:
                if first is not None:
                    self._post(first)
                await self._live(stream)
            self._painter.paint(self._view.unfinished())
        return self._code

    async def _live(self, stream: EventStream) -> None:
        listening = asyncio.create_task(self._listen(stream))
        typing = asyncio.create_task(self._take_lines())
        try:
            await asyncio.wait((listening, typing), return_when=asyncio.FIRST_COMPLETED)
            if self._tasks and not listening.done():
                await asyncio.wait(self._tasks, timeout=LAST_WORDS_SECONDS)
            if listening.done():
                listening.result()
                self._show(Note(text="the session has ended"))
            if typing.done():
                typing.result()
        finally:
            tasks = [listening, typing, *self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, stream: EventStream) -> None:
        async for event in stream:
            if isinstance(event, StreamReset):
                session = await self._client.sessions.get(self._session_id)
                entries = self._view.missed(session, session.items)
            else:
                was_busy = self._view.facts.is_busy
                entries = self._view.feed(event)
                if self._view.facts.is_busy and not was_busy:
                    self._was_interrupted = False
            self._painter.paint(entries)
            self._desk.heard()

    async def _take_lines(self) -> None:
        while True:
            try:
                line, question = await self._desk.next_line()
            except EOFError:
                return
            if not line.strip():
                continue
            self._was_interrupted = False
            approval = self._view.approvals.get(question) if question is not None else None
            verdict = None if approval is None else _verdict_of(line, approval)
            if approval is not None and verdict is not None:
                self._start(self._resolve(approval, verdict))
            else:
                self._post(line)

    def _interrupt(self) -> None:
        if self._was_interrupted:
            self._code = INTERRUPTED
            self._desk.leave()
            return
        self._was_interrupted = True
        if self._view.facts.is_busy:
            self._start(self._send_interrupt())
            self._show(Note(text="interrupting; Ctrl-C again leaves"))
        else:
            self._show(Note(text="Ctrl-C again leaves"))

    def _post(self, text: str) -> None:
        self._desk.waiting.append(text)
        self._start(self._deliver(text))

    async def _deliver(self, text: str) -> None:
        try:
            async with self._in_order:
                receipt = await self._client.sessions.post_held(
                    self._session_id, message_event(text), idempotency_key=uuid.uuid4().hex
                )
            if receipt.denied:
                self._show(Note(text=f"refused: {receipt.reason or 'by a policy'}", is_bad=True))
        finally:
            self._desk.waiting.remove(text)
            self._desk.redraw()

    async def _resolve(self, approval: Approval, verdict: Verdict) -> None:
        try:
            await self._client.sessions.resolve_elicitation(
                approval.session_id, approval.elicitation_id, verdict.action, verdict.content
            )
        except NotFoundError:
            self._show(Note(text="that is no longer asked"))

    async def _send_interrupt(self) -> None:
        await self._client.sessions.interrupt(self._session_id)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._reported(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reported(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except OmnigentError as error:
            self._show(Note(text=f"not done: {line_of(error)}", is_bad=True))

    def _show(self, entry: Entry) -> None:
        self._painter.paint([entry])


def _verdict_of(line: str, approval: Approval) -> Verdict | None:
    """The answer that a line is; None for a line that is a message. A form is filled in as a JSON object."""
    verdict = VERDICTS.get(line.strip().lower())
    if verdict is not None:
        return verdict
    if not approval.requested_schema:
        return None
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return Verdict(action="accept", content=content) if isinstance(content, dict) else None
