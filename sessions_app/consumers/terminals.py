"""`…/resources/terminals`: what a session's runner has open, and looking at it and typing into it."""

import asyncio
import contextlib

from django.conf import settings

from omnigent.api.validation import parse, parse_query
from sessions_app.bodies import AttachTerminal, CreateTerminal
from sessions_app.consumers.lines import LineConsumer
from sessions_app.consumers.resources import ResourceConsumer
from sessions_app.flows import resources
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services import terminals
from sessions_app.services.access import Level
from sessions_app.services.terminals import Place
from sessions_app.tunnels.channel import Ended

NOT_ALLOWED = 1008


class TerminalsConsumer(ResourceConsumer):
    """What the four methods share."""

    async def place(self, level: Level) -> Place:
        """The session's terminals, for a caller with at least this level."""
        return await self.process.pool.run(terminals.place, self.principal, self.session_id, level)

    def suffix(self) -> str:
        """Which one the address names, as the end of its path. Raises 404."""
        return f"/{terminals.terminal_id_of(str(self.kwargs['terminal_id']))}"


class ListTerminalsConsumer(TerminalsConsumer):
    """GET …/resources/terminals"""

    async def handle(self) -> None:
        place = await self.place(Level.READ)
        asked = resources.Request(method="GET")
        await self.answer(await self.unless_disconnected(resources.ask(self.process, place, asked)))


class CreateTerminalConsumer(TerminalsConsumer):
    """POST …/resources/terminals"""

    async def handle(self) -> None:
        raw = await self.body()
        place = await self.place(Level.EDIT)
        body = parse(CreateTerminal, raw).model_dump_json(exclude_none=True).encode()
        asked = resources.Request(method="POST", body=body)
        await self.answer(
            await resources.change(self.process, self.principal, place, self.receipts(raw), asked)
        )


class GetTerminalConsumer(TerminalsConsumer):
    """GET …/resources/terminals/{terminal_id}"""

    async def handle(self) -> None:
        place = await self.place(Level.READ)
        asked = resources.Request(method="GET", suffix=self.suffix())
        await self.answer(await self.unless_disconnected(resources.ask(self.process, place, asked)))


class DeleteTerminalConsumer(TerminalsConsumer):
    """DELETE …/resources/terminals/{terminal_id}"""

    async def handle(self) -> None:
        raw = await self.body()
        place = await self.place(Level.EDIT)
        asked = resources.Request(method="DELETE", suffix=self.suffix())
        await self.answer(
            await resources.change(self.process, self.principal, place, self.receipts(raw), asked)
        )


class AttachConsumer(LineConsumer):
    """WS …/resources/terminals/{terminal_id}/attach: who reads a session may look, who owns it may type."""

    is_read_only = True

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()

    @property
    def level(self) -> Level:
        """What the caller has to hold, from the first moment to the last."""
        return Level.READ if self.is_read_only else Level.OWNER

    async def on_connect(self) -> None:
        asked = parse_query(AttachTerminal, self.scope["query_string"])
        self.is_read_only = asked.read_only
        place = await self.process.pool.run(
            terminals.place, self.principal, str(self.kwargs["session_id"]), self.level
        )
        terminal_id = terminals.terminal_id_of(str(self.kwargs["terminal_id"]))
        query = f"read_only={'true' if asked.read_only else 'false'}"
        line = await self.process.rpc.runner_channel(
            place.runner_id, f"{place.path}/{terminal_id}/attach", query
        )
        await self.attend(line)

    async def take(self, message: bytes | str) -> None:
        """What somebody who only looks types goes nowhere."""
        if not self.is_read_only:
            await super().take(message)

    async def shown(self, message: bytes | str) -> None:
        """Texts are for the clipboard of whoever typed."""
        if isinstance(message, bytes) or not self.is_read_only:
            await super().shown(message)

    async def doubt(self) -> Ended:
        """Ask again at every change of anybody's access, and now and then, as of every open stream."""
        session_id, process = str(self.kwargs["session_id"]), self.process
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    process.access_changes.next(), settings.OMNIGENT_ACCESS_RECHECK_SECONDS
                )
            if not await process.pool.run(terminals.may_stay, self.principal, session_id, self.level):
                return Ended(NOT_ALLOWED, "the credentials are no longer valid")
