"""Gives a session whose harness is a program in a terminal its turns."""

import asyncio
from collections.abc import Sequence

from omnigent.runner import state
from omnigent.runner.announce import Announcer
from omnigent.runner.approvals import Approvals
from omnigent.runner.engine_seat import acts_freely
from omnigent.runner.equipment import Equipment
from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.harnesses.engine import EngineSettings
from omnigent.runner.inbox import Message
from omnigent.runner.native.room import NativeRoom, Seat
from omnigent.runner.native.turn import NativeTurn, World
from omnigent.runner.rooms import Rooms
from omnigent.runner.runtime import Runtime
from omnigent.runner.terminals.room import Terminals
from omnigent.runner.turn import TurnSettings


class Seating:
    """Knows the room that the program is in, once there is one, and the turn that runs."""

    def __init__(self, session_id: str, runtime: Runtime, rooms: Rooms, approvals: Approvals) -> None:
        self._session_id = session_id
        self._runtime = runtime
        self._rooms = rooms
        self._approvals = approvals
        self._room: NativeRoom | None = None
        self._turn: NativeTurn | None = None
        self._interrupting: asyncio.Task[None] | None = None

    async def turn(
        self, messages: Sequence[Message], announcer: Announcer, equipment: Equipment, world: World
    ) -> NativeTurn | None:
        """The turn of these messages; None when the harness is of another kind. Raises ModelError."""
        settings = await equipment.turn_settings(messages[0])
        if not self._runtime.models.is_native(settings.harness):
            return None
        announcer.named(settings.agent)
        seat = await self._seat(settings, equipment)
        toolbox = await equipment.toolbox()
        self._turn = NativeTurn(
            settings=settings,
            seat=seat,
            workspace=toolbox.workspace,
            announcer=announcer,
            messages=messages,
            world=world,
        )
        return self._turn

    async def _seat(self, settings: TurnSettings, equipment: Equipment) -> Seat:
        spec, agent, toolbox = await equipment.spec(), await equipment.agent(), await equipment.toolbox()
        if not acts_freely(spec):
            raise ModelError(
                "harness_not_configured",
                f"{settings.harness} runs its own commands, which no sandbox of ours confines: "
                "its agent needs os_env with sandbox type none.",
            )
        self._room = self._rooms.of(NativeRoom)
        key = (settings.harness, agent.digest)
        if self._room.seat is not None and self._room.has(key):
            return self._room.seat
        config = self._runtime.config
        directory = state.folder_of(config.state_dir, self._session_id) / settings.harness
        program = await self._runtime.models.program(
            settings.harness,
            EngineSettings(
                session_id=self._session_id,
                state_dir=directory,
                workspace=toolbox.workspace,
                environment=config.child_environment,
                config=spec.config,
            ),
        )
        terminals = self._rooms.of(Terminals)
        return await self._room.take(key, program, directory, terminals=terminals, approvals=self._approvals)

    def nudge(self) -> None:
        """Messages have come while a turn runs."""
        if self._turn is not None:
            self._turn.nudge()

    def interrupt(self) -> None:
        """Stop what a person has begun at the terminal."""
        seat = self._room.seat if self._room is not None else None
        if seat is not None and seat.reader.is_busy:
            self._interrupting = asyncio.create_task(seat.interrupt(), name=f"interrupt-{self._session_id}")
